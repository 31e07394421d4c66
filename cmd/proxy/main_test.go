package main

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// Most of the tests here wait most of their time, for a token to end or a stream to be
// cut: twice as many as there are processors run at the same time.
func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0)))
	}
	os.Exit(m.Run())
}
