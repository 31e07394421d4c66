package main

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	logs "go.uber.org/zap/zaptest/observer"
)

// A deaf listener takes nobody.
type deaf struct {
	net.Listener
	err error
}

func (d *deaf) Accept() (net.Conn, error) { return nil, d.err }

// It is told once a minute, and not when the listener is closed.
func TestWatchedListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := logs.New(zap.InfoLevel)
		d := &deaf{err: errors.New("too many open files")}
		l := &watched{Listener: d, log: zap.New(core)}
		for range 121 {
			if _, err := l.Accept(); err != d.err {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := seen.Len(); n != 3 {
			t.Errorf("%d lines in two minutes, want 3", n)
		}
		time.Sleep(time.Hour)
		d.err = net.ErrClosed
		l.Accept()
		if n := seen.Len(); n != 3 {
			t.Error("a closed listener is no failure")
		}
	})
}
