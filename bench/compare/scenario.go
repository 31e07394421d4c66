package main

import (
	"context"
	"fmt"
	"time"
)

// A listener is how callers reach a proxy.
type listener int

const (
	clear  listener = iota // HTTP/1.1
	secure                 // HTTP/1.1 over TLS
	h2                     // HTTP/2 over TLS
	h2c                    // HTTP/2 in clear
)

func (l listener) tls() bool { return l == secure || l == h2 }

// A scenario is one kind of load, which every proxy gets.
type scenario struct {
	name, about string
	listener    listener
	// conns is the number of connections, and streams how many requests each of
	// HTTP/2 has under way.
	conns, streams int
	// tokens is how many different ones are used in turn.
	tokens int
	method string
	path   string
	body   int // bytes of an upload
	// rate is the requests a second of an open loop; zero is a closed one.
	rate float64
	// fresh is a new connection for each request.
	fresh bool
	// headline says that the budgets are read from it: it has all the rounds.
	headline bool
}

// get is what most scenarios are.
func get(name, about string, change func(*scenario)) scenario {
	s := scenario{name: name, about: about, conns: 32, tokens: 1, method: "GET", path: "/"}
	change(&s)
	return s
}

// steadyRate is about a third of what the bare proxy can on two cores, so that
// waiting in line is not what is measured.
const steadyRate = 4000

var scenarios = []scenario{
	get("one", "one known token, 32 connections", func(s *scenario) { s.headline = true }),
	get("rate", fmt.Sprintf("as one, at %d requests a second whatever the answers take", steadyRate),
		func(s *scenario) { s.rate, s.headline = steadyRate, true }),
	get("h2", "HTTP/2 over TLS, 4 connections with 8 requests each", func(s *scenario) { s.listener, s.conns, s.streams = h2, 4, 8 }),
	get("h2c", "HTTP/2 in clear, likewise", func(s *scenario) { s.listener, s.conns, s.streams = h2c, 4, 8 }),
	get("c1", "1 connection", func(s *scenario) { s.conns = 1 }),
	get("c256", "256 connections", func(s *scenario) { s.conns = 256 }),
	get("1KiB", "answers of 1 KiB", func(s *scenario) { s.path = "/1KiB" }),
	get("1MiB", "answers of 1 MiB", func(s *scenario) { s.path = "/1MiB" }),
	get("upload", "uploads of 1 MiB", func(s *scenario) { s.method, s.path, s.body = "PUT", "/upload/file", 1<<20 }),
	get("connect", "a new connection for each request, over TLS", func(s *scenario) { s.listener, s.fresh = secure, true }),
	get("tokens", "10,000 known tokens in turn", func(s *scenario) { s.tokens = 10_000 }),
}

// A sample is what one load did, and what it cost the proxy.
type sample struct {
	Requests, Errors int
	Took             time.Duration
	P50, P99, P999   time.Duration
	CPU              time.Duration
	RSS              int64
	Allocs           float64 // a request; zero where it is not known
}

func (s *sample) cpu() float64  { return float64(s.CPU.Nanoseconds()) / 1000 / float64(s.Requests) }
func (s *sample) rate() float64 { return float64(s.Requests) / s.Took.Seconds() }

// measure loads one proxy once.
func (s *scenario) measure(ctx context.Context, at *site, i *instance) (*sample, error) {
	allocs, err := i.mallocs()
	if err != nil {
		return nil, err
	}
	before, err := i.Usage()
	if err != nil {
		return nil, err
	}
	m, err := at.load(ctx, s, i.addr, at.duration)
	if err != nil {
		return nil, err
	}
	after, err := i.Usage()
	if err != nil {
		return nil, err
	}
	end, err := i.mallocs()
	if err != nil {
		return nil, err
	}
	if m.Requests == 0 || m.Errors > 0 {
		return nil, fmt.Errorf("%d of %d requests failed", m.Errors, m.Requests)
	}
	m.CPU, m.RSS = after.CPU-before.CPU, after.RSS
	m.Allocs = (end - allocs) / float64(m.Requests)
	return m, nil
}
