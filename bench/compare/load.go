package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load runs the program that makes a scenario's load, and returns what it saw.
func (at *site) load(ctx context.Context, s *scenario, addr string, d time.Duration) (*sample, error) {
	// A load that does not end is as good as one that fails.
	ctx, cancel := context.WithTimeout(ctx, d+30*time.Second)
	defer cancel()
	switch {
	case s.listener == h2 || s.listener == h2c:
		return at.h2load(ctx, s, addr, d)
	case s.rate > 0 || at.tools.wrk == "":
		return at.steady(ctx, s, addr, d)
	}
	return at.wrk(ctx, s, addr, d)
}

// cannot says why a load cannot be made here, or "".
func (t *tools) cannot(s *scenario) string {
	switch {
	case (s.listener == h2 || s.listener == h2c) && t.h2load == "":
		return "h2load is not installed"
	case (s.listener == secure || s.body > 0) && t.wrk == "":
		return "wrk is not installed"
	}
	return ""
}

func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s%s", program, err, out, &stderr)
	}
	return out, nil
}

func (at *site) steady(ctx context.Context, s *scenario, addr string, d time.Duration) (*sample, error) {
	out, err := output(ctx, at.tools.steady, "-to="+addr, "-path="+s.path, "-tokens="+at.tokenFile,
		fmt.Sprintf("-rate=%g", s.rate), fmt.Sprintf("-conns=%d", s.conns), "-duration="+d.String())
	if err != nil {
		return nil, err
	}
	var r struct{ Requests, Errors, Took, P50, P99, P999 int }
	if err := json.Unmarshal(out, &r); err != nil {
		return nil, fmt.Errorf("steady: %w", err)
	}
	return &sample{Requests: r.Requests, Errors: r.Errors, Took: us(r.Took), P50: us(r.P50), P99: us(r.P99), P999: us(r.P999)}, nil
}

func us(n int) time.Duration { return time.Duration(n) * time.Microsecond }

// script is what wrk runs: every request made beforehand, and one line of figures
// at the end.
const script = `
local lines = {}
for line in io.lines(%q) do lines[#lines + 1] = line end
wrk.method = %q
wrk.path = %q
wrk.headers["User-Agent"] = "bench"
if %t then wrk.headers["Connection"] = "close" end
if %d > 0 then wrk.body = string.rep("x", %[5]d) end
wrk.headers["Authorization"] = "Bearer " .. lines[1]
if #lines > 1 then
  local requests, next = {}, 0
  function init()
    for i, line in ipairs(lines) do
      wrk.headers["Authorization"] = "Bearer " .. line
      requests[i] = wrk.format()
    end
  end
  function request()
    next = next %% #requests + 1
    return requests[next]
  end
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("FIGURES %%d %%d %%d %%d %%d %%d\n", summary.requests,
    e.connect + e.read + e.write + e.timeout + e.status, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
`

func (at *site) wrk(ctx context.Context, s *scenario, addr string, d time.Duration) (*sample, error) {
	lua := at.file(addr + ".lua") // of this load alone: others may run
	text := fmt.Sprintf(script, at.tokenFile, s.method, s.path, s.fresh, s.body)
	if err := os.WriteFile(lua, []byte(text), 0o600); err != nil {
		return nil, err
	}
	out, err := output(ctx, at.tools.wrk, "-t1", fmt.Sprintf("-c%d", s.conns), fmt.Sprintf("-d%ds", max(1, int(d.Seconds()))),
		"--timeout=10s", "-s", lua, s.url(addr))
	if err != nil {
		return nil, err
	}
	_, after, ok := strings.Cut(string(out), "FIGURES ")
	f, err := numbers(after)
	if !ok || err != nil || len(f) < 6 {
		return nil, fmt.Errorf("wrk said %q", out)
	}
	return &sample{Requests: f[0], Errors: f[1], Took: us(f[2]), P50: us(f[3]), P99: us(f[4]), P999: us(f[5])}, nil
}

func numbers(line string) (all []int, err error) {
	for _, f := range strings.Fields(line) {
		n, err := strconv.Atoi(f)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

func (at *site) h2load(ctx context.Context, s *scenario, addr string, d time.Duration) (*sample, error) {
	log := at.file(addr + ".log") // of this load alone: others may run
	_ = os.Remove(log)            // it appends, and there may be none yet
	_, err := output(ctx, at.tools.h2load, fmt.Sprintf("-c%d", s.conns), fmt.Sprintf("-m%d", s.streams), "-t1",
		fmt.Sprintf("-D%d", max(1, int(d.Seconds()))), "--log-file="+log, "-H", "authorization: Bearer "+at.tokens[0], s.url(addr))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return h2sample(f, d)
}

// h2sample reads h2load's log: a line for each request, with when it began, its
// status and how long it took, in microseconds.
func h2sample(r io.Reader, d time.Duration) (*sample, error) {
	m := &sample{Took: max(d, time.Second)}
	var took []time.Duration
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f, err := numbers(lines.Text())
		if err != nil || len(f) != 3 {
			return nil, fmt.Errorf("h2load wrote %q", lines.Text())
		}
		m.Requests++
		if f[1] < 200 || f[1] > 299 {
			m.Errors++
		}
		took = append(took, us(f[2]))
	}
	if len(took) == 0 {
		return nil, errors.New("h2load sent no request")
	}
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[min(int(q*float64(len(took))), len(took)-1)] }
	m.P50, m.P99, m.P999 = at(0.5), at(0.99), at(0.999)
	return m, lines.Err()
}

// mallocs is how often ours has allocated since its start; zero for all others.
func (i *instance) mallocs() (float64, error) {
	if i.admin == "" {
		return 0, nil
	}
	resp, err := http.Get("http://" + i.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "go_memstats_mallocs_total "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.New("/metrics has no go_memstats_mallocs_total")
}
