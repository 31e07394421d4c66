//go:build race

package main

// unhurried is what bounds of time are multiplied by: the race detector makes a
// program some five times slower.
const unhurried = 5

// worlds bounds how many faults are tried at once.
const worlds = 12
