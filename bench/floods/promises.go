package main

import (
	"fmt"
	"math"
	"time"
)

const (
	// memoryBudget is what a gate may take after any amount of garbage, in
	// bytes.
	memoryBudget = 40 << 20
	// cooldown is the least time between two fetches for unknown keys, and
	// recheck how long the API server's yes is good for: serve's defaults.
	cooldown = 10 * time.Second
	recheck  = 30 * time.Second
	// unprovenRate and unprovenBurst bound the reviews of tokens that were never
	// admitted, in mode tokenreview.
	unprovenRate  = 20
	unprovenBurst = 20
	// wantedRatio is that of the callers' p99 in the flood to that of the
	// baseline. It is told and not asserted: a second of somebody else's on the
	// machine changes it.
	wantedRatio = 2
)

// maxReviews is how often the API server may have been asked.
func (r *result) maxReviews() int {
	if r.mode == "oidc" {
		return 0
	}
	// The first recheck comes any time, and each other after 64 % of the time at
	// the earliest.
	each := 2 + int(r.floodTook/(recheck*16/25))
	n := r.proven * each
	if r.mode == "tokenreview" && r.kind.asked {
		n += unprovenBurst + int(math.Ceil(unprovenRate*r.floodTook.Seconds()))
	}
	return n
}

// maxFetches is how often keys may have been fetched.
func (r *result) maxFetches() int {
	if r.mode == "tokenreview" || !r.kind.fetches {
		return 0
	}
	return 1 + int(r.floodTook/cooldown)
}

// broken lists the promises that were not kept.
func (r *result) broken() (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if !r.running {
		say("the gate ended")
	}
	for status, n := range r.flood {
		if status >= 200 && status < 400 {
			say("%d requests of the flood were answered with %d", n, status)
		}
	}
	if r.flood.Sum() == 0 {
		say("there was no flood")
	}
	if r.good.Errors > 0 {
		say("%d of %d requests of well-behaved callers failed, the first: %s", r.good.Errors, r.good.Sent, r.good.First)
	}
	if r.good.Sent == 0 {
		say("no well-behaved caller was answered")
	}
	if n := len(r.entered); n < newcomers {
		say("%d of %d new callers got in", n, newcomers)
	}
	if most := r.maxReviews(); r.reviews > most {
		say("%d TokenReviews, more than %d", r.reviews, most)
	}
	if most := r.maxFetches(); r.fetches > most {
		say("%d fetches of keys, more than %d", r.fetches, most)
	}
	if r.peak > memoryBudget {
		say("%.1f MiB of memory, more than %d", float64(r.peak)/(1<<20), memoryBudget>>20)
	}
	return list
}

// ratio is the callers' p99 in the flood to that of the baseline.
func (r *result) ratio() float64 {
	return float64(r.good.Quantile(0.99)) / float64(r.goodBase.Quantile(0.99))
}
