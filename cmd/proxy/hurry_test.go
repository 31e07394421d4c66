//go:build !race

package main

// unhurried is what bounds of time are multiplied by.
const unhurried = 1

// worlds bounds how many faults are tried at once: they wait most of the time, and
// on two cores more of them would measure each other.
const worlds = 24
