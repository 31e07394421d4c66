// Package provider is what the pod of an OpenID provider, which is not ours, and
// the scenarios say to each other: it makes tokens, changes its keys and fails as
// it is told.
package provider

import "time"

const (
	// Port is where the provider is, over TLS.
	Port = 8443
	// ControlPort is where it is told what to do, in clear.
	ControlPort = 8080
)

// A Person is whom a token is for, and how.
type Person struct {
	Subject  string        // sub
	Name     string        // name; "": no such claim
	Groups   []string      // groups; empty: no such claim
	Audience []string      // aud
	Life     time.Duration // until exp
}

// Keys are the ids of the provider's keys.
type Keys struct {
	Signing   string // that of the key which signs
	Published []string
}

// A Behaviour is how the provider meets those who ask it. Its control goes on
// answering.
type Behaviour string

// The behaviours. Answer is the first.
const (
	Answer Behaviour = "answer"
	Hang   Behaviour = "hang"   // takes connections, and says nothing on any
	Refuse Behaviour = "refuse" // has closed all connections, and takes none
)

// Seen is what the provider was asked over TLS.
type Seen struct {
	Requests []Request // the first ones
	More     int       // how many it did not keep
}

// A Request tells of a request without a credential that was in it.
type Request struct {
	Method, Path  string
	Headers       []string // the names, sorted
	Query, Body   bool     // whether there was any
	Authorization string   // the fingerprint of a token that came, as in package caller
}
