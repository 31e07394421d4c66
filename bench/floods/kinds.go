package main

import (
	"fmt"
	"slices"
	"strings"

	"sallyport/bench/badtoken"
	"sallyport/bench/world"
)

// A kind is one kind of bad token. No two requests carry the same, so that
// nothing that remembers helps.
type kind struct {
	name string
	// asked says that in mode tokenreview the API server has to be asked about
	// such a token: it could be good as far as anybody else can see.
	asked bool
	// fetches says that it may make the gate fetch keys, once a cool-down.
	fetches bool
	// streams is how many requests each connection has under way: see
	// [load.Flood].
	streams int
	// tokens returns what such tokens are made by.
	tokens func(*world.World) (badtoken.Recipe, error)
}

var kinds = []kind{
	{name: "forged", asked: true, tokens: badtoken.Forged},
	// As many as the gate allows.
	{name: "forged-h2", asked: true, streams: 100, tokens: badtoken.Forged},
	{name: "unknown-key", asked: true, fetches: true, tokens: badtoken.UnknownKey},
	{name: "expired", tokens: badtoken.Expired},
	{name: "random", tokens: badtoken.Random},
	{name: "16-KiB", asked: true, tokens: badtoken.Large},
	{name: "dots-60k", tokens: badtoken.Dots(60_000)},
	{name: "dots-1M", tokens: badtoken.Dots(1_000_000)},
}

func kindNames() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// some returns those of all that are named; "all" names each.
func some[T any](list string, all []T, name func(T) string) (chosen []T, err error) {
	if list == "all" {
		return all, nil
	}
	for _, n := range strings.Split(list, ",") {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == n })
		if i < 0 {
			return nil, fmt.Errorf("there is no %q", n)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
