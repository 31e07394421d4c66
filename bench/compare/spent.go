package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// A part is what some of a gate's CPU time is spent on. A sample belongs to the
// first whose words are in one of its functions.
type part struct {
	name  string
	words []string
}

// parts begin with what may happen within every other.
var parts = []part{
	{"garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart"}},
	{"allocating", []string{"runtime.mallocgc", "runtime.newobject", "runtime.makeslice", "runtime.growslice", "runtime.makemap"}},
	{"kernel: writing to the app", []string{"syscall.write<persistConn", "syscall.write<internal/loopback"}},
	{"kernel: reading from the app", []string{"syscall.read<persistConn", "syscall.read<internal/loopback"}},
	{"kernel: writing to the caller", []string{"syscall.write<"}},
	{"kernel: reading from the caller", []string{"syscall.read<"}},
	{"waking goroutines", []string{"runtime.ready", "runtime.goready", "runtime.wakep", "runtime.newproc", "runtime.send", "runtime.readyWithTime"}},
	{"finding the next goroutine, and epoll", []string{"runtime.schedule", "runtime.findRunnable", "runtime.mcall", "runtime.park_m", "runtime.netpoll", "runtime.gopark", "runtime.sysmon"}},
	{"timers and deadlines", []string{"time.(*Timer)", "time.AfterFunc", "SetReadDeadline", "SetWriteDeadline", "SetDeadline", "runtime.(*timer)"}},
	{"counting and logging", []string{"main.observer", "internal/proxy.(*requestLog)", "internal/proxy.(*Ledger)", "internal/callers", "internal/telemetry", "go.uber.org/zap", "prometheus"}},
	{"the bearer header and the decision", []string{"internal/authn.BearerToken", "internal/cache."}},
	{"hygiene of headers", []string{"internal/proxy.(*proxy).header", "internal/proxy.(*proxy).rewrite"}},
	{"router and context", []string{"gorilla/mux", "context.WithValue", "net/http.(*Request).WithContext"}},
	{"connection to the app", []string{"net/http.(*Transport)", "net/http.(*persistConn)", "net/http.(*http1", "internal/loopback"}},
	{"server: reading requests", []string{"net/http.(*conn).readRequest", "net/http.readRequest"}},
	{"server: writing answers", []string{"net/http.(*response)", "net/http.(*chunkWriter)", "bufio.(*Writer)"}},
	{"ReverseProxy, or what does its work", []string{"net/http/httputil.", "internal/proxy.(*proxy).carry"}},
	{"the rest of the gate", []string{"sallyport/"}},
	{"the rest of the server", []string{"net/http.(*conn)", "net/http."}},
	{"the rest", []string{""}},
}

// has reports whether a stack belongs to a part. Words with < are a function at the
// stack's top and one below.
func (p part) has(stack string) bool {
	for _, w := range p.words {
		top, below, both := strings.Cut(w, "<")
		if strings.Contains(stack, top) && (!both || strings.Contains(stack, below)) {
			return true
		}
	}
	return false
}

// spent prints what a profile's time went to, in microseconds a request.
func spent(ctx context.Context, file string, requests int, out io.Writer) error {
	text, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", file).Output()
	if err != nil {
		return fmt.Errorf("go tool pprof: %w", err)
	}
	sums := sumTraces(string(text))
	total := time.Duration(0)
	for _, d := range sums {
		total += d
	}
	if total == 0 {
		return fmt.Errorf("%s has no samples", file)
	}
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(requests) }
	for _, p := range parts {
		if d := sums[p.name]; d > 0 {
			fmt.Fprintf(out, "%6.1f us %5.1f %%  %s\n", per(d), 100*float64(d)/float64(total), p.name)
		}
	}
	fmt.Fprintf(out, "%6.1f us in all\n", per(total))
	return nil
}

// sumTraces reads the output of pprof -traces: blocks, divided by lines of dashes,
// of a time and the functions of a stack, the innermost first.
func sumTraces(text string) map[string]time.Duration {
	sums := map[string]time.Duration{}
	for _, block := range strings.Split(text, "-----------+")[1:] {
		var took time.Duration
		var stack strings.Builder
		for line := range strings.Lines(block) {
			f := strings.Fields(line)
			if len(f) >= 2 && took == 0 {
				took, _ = time.ParseDuration(f[0]) // else it is no sample
				f = f[1:]
			}
			if took > 0 {
				stack.WriteString(strings.Join(f, " ") + "\n")
			}
		}
		for _, p := range parts {
			if took > 0 && p.has(stack.String()) {
				sums[p.name] += took
				break
			}
		}
	}
	return sums
}
