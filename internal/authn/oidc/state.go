package oidc

import "time"

// A State is what may be told of a key set.
type State struct {
	// Issuer names the set.
	Issuer string
	Keys   []KeyState
	// Fetched is when the last good fetch began; zero means that there was none.
	Fetched time.Time
	// Failures is how many fetches have failed since.
	Failures int
	// Err is why the last fetch failed, "" where it did not.
	Err string
}

// A KeyState is what may be told of a public key.
type KeyState struct {
	ID, Algorithm string
	// Since is when we saw it first, Missing since when it is not published any
	// more; zero means that it is.
	Since, Missing time.Time
}

// State returns the state now.
func (s *KeySet) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{Issuer: s.issuer, Fetched: s.good, Failures: s.failures}
	if s.failures > 0 && s.lastErr != nil {
		st.Err = s.lastErr.Error()
	}
	for _, k := range s.keys {
		st.Keys = append(st.Keys, KeyState{ID: k.KeyID, Algorithm: k.Algorithm, Since: k.since, Missing: k.missing})
	}
	return st
}
