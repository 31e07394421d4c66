package main

import (
	"syscall"

	"go.uber.org/zap"
)

// ownDescriptors are those that no caller's connection or request needs: the
// three listeners, 64 connections for probes and metrics and a few on loopback,
// 35 to the API server and to other issuers, and the files that are followed.
const ownDescriptors = 128

// idleUpstream are the connections to the app that wait for a request, see
// internal/proxy.
const idleUpstream = 256

// descriptors are how many we may need: a caller's connection has one, and each
// request under way another one to the app.
func (l *limits) descriptors() uint64 {
	return uint64(l.config.Connections + l.config.InFlight + idleUpstream + ownDescriptors)
}

// checkDescriptors warns where the system allows fewer. Go has raised the soft
// limit to the hard one by now.
func (l *limits) checkDescriptors() {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur >= l.descriptors() {
		return
	}
	l.log.Warn("fewer files may be open than the limits need: raise RLIMIT_NOFILE, or lower --max-connections and --max-in-flight",
		zap.Uint64("may_be_open", r.Cur), zap.Uint64("needed", l.descriptors()))
}
