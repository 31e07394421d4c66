package tokenfile

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// maxFile leaves room for a line ending, which the kubelet never writes and a
// person with an editor does.
const maxFile = authn.MaxToken + 2

// look reads the file, and replaces the current token if there is another good
// one. Whatever goes wrong, the current token stays.
//
// What the file holds wins, even if it was issued before the current token: the
// kubelet decides which token a pod has.
func (s *Source) look() {
	old := s.now.Load()
	raw, token, err := s.load(old)
	if err != nil {
		s.fail(old, err)
	} else {
		s.accept(old, raw, token)
	}
	s.tell()
}

// load returns what the file holds. The token is nil if that is the current
// one.
func (s *Source) load(old *snapshot) (string, *jwt.Token, error) {
	b, err := s.read(s.o.Path, maxFile)
	if err != nil {
		return "", nil, err
	}
	raw := strings.TrimSpace(string(b))
	if raw == "" {
		return "", nil, errors.New("the file is empty")
	}
	if old.token != nil && raw == old.raw {
		return raw, nil, nil
	}
	token, err := jwt.Decode(raw)
	if err != nil {
		return "", nil, notAToken(err)
	}
	if old.token != nil && isCut(raw, token, old) {
		return "", nil, errors.New("the token is torn: its signature is shorter than the last one of the same key")
	}
	return raw, token, nil
}

// isCut reports whether raw was torn within its signature, which leaves
// something of a JWT's shape. A key's signatures all have the same length
// (RFC 7518 sections 3.3 to 3.5).
func isCut(raw string, token *jwt.Token, old *snapshot) bool {
	return token.Header.KeyID != "" && token.Header == old.token.Header &&
		signatureLen(raw) < signatureLen(old.raw)
}

func signatureLen(raw string) int { return len(raw) - strings.LastIndexByte(raw, '.') - 1 }

// notAToken drops the words for a caller's token, which say that somebody was
// refused.
func notAToken(err error) error {
	var e *authn.Error
	if errors.As(err, &e) {
		return fmt.Errorf("the file is not a JWT: %s: %s", e.Reason, e.Detail)
	}
	return errors.New("the file is not a JWT")
}

// fail goes on with what there is. Who gave the token in place of its file's name finds
// it in no log.
func (s *Source) fail(old *snapshot, err error) {
	next := *old
	next.errors++
	next.problem = authn.Redact(err.Error())
	s.now.Store(&next)
	msg := "cannot use the own token's file: the last good token stays in use"
	if old.token == nil {
		msg = "no own token yet: waiting for its file"
	}
	s.trouble.Met(s.o.Log, msg, errors.New(next.problem))
}

func (s *Source) accept(old *snapshot, raw string, token *jwt.Token) {
	next := *old
	next.problem = ""
	if token != nil {
		next.raw, next.token, next.loaded = raw, token, time.Now()
		if old.token != nil {
			next.rotations++
			next.past[0] = old.loaded
			copy(next.past[1:], old.past[:])
		}
		if s.o.OnToken != nil {
			s.o.OnToken(token)
		}
	}
	// Most reads find nothing new, and publish nothing.
	if next != *old {
		s.now.Store(&next)
	}
	s.trouble.Over(s.o.Log, "the own token's file is good again")
	if token != nil {
		s.logToken(old.token, token)
	}
}

func (s *Source) logToken(old, token *jwt.Token) {
	fields := []zap.Field{zap.String("token_id", token.Claims.ID)}
	if !token.Claims.Expires.IsZero() {
		fields = append(fields, zap.Time("expires", token.Claims.Expires))
	}
	if old == nil {
		s.o.Log.Info("own token loaded", fields...)
		return
	}
	s.o.Log.Info("own token rotated", append(fields, zap.String("old_token_id", old.Claims.ID))...)
}
