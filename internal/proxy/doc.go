// Package proxy is the HTTP side of the gate: it takes a request apart, asks an
// [authn.Authenticator] who sent it, and forwards it to the app, or answers with
// the status that its failure deserves.
//
// A request passes these steps and never goes back:
//
//	target, canonical path -> route -> bearer token -> Authenticate -> forward
//
// A step that fails returns an error and has written nothing; one function, fail,
// turns errors into statuses.
package proxy
