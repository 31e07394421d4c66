package main

import (
	"net/http"
	"strings"
	"testing"

	"sallyport/internal/minicluster"
	"sallyport/internal/traceparent"
	"sallyport/internal/tracing/tracingtest"
)

const theTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

var askedTrace = traceparent.Parent{Trace: theTrace, Span: "00f067aa0ba902b7", Sampled: true}.String()

// startTraced starts a world whose gate sends traces to a collector.
func startTraced(t *testing.T, args ...string) (*world, *tracingtest.Collector) {
	c := tracingtest.New(t)
	return start(t, append(args, "--trace-endpoint="+c.URL.String())...), c
}

// traced stops the gate, which sends what it has, and returns the spans by name. There
// is one of a name.
func (w *world) traced(c *tracingtest.Collector) map[string]tracingtest.Span {
	w.t.Helper()
	must(w.t, w.stop())
	spans := map[string]tracingtest.Span{}
	for _, s := range c.Spans() {
		if _, twice := spans[s.Name]; twice {
			w.t.Errorf("two spans %s", s.Name)
		}
		spans[s.Name] = s
	}
	w.noTokenIn(c.Raw())
	if strings.Contains(c.Raw(), "hidden") {
		w.t.Errorf("a path or a query in %q", c.Raw())
	}
	return spans
}

// headers returns what the app gets from now on, of two requests at most.
func (w *world) headers() <-chan http.Header {
	seen := make(chan http.Header, 2)
	w.handler.Store(&handler{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() })})
	return seen
}

// below checks who is whose parent.
func (w *world) below(spans map[string]tracingtest.Span, names ...string) {
	w.t.Helper()
	for i, name := range names[1:] {
		s, parent := spans[name], spans[names[i]]
		if s.ID == "" || s.Parent != parent.ID || s.Trace != parent.Trace {
			w.t.Errorf("%s is %+v, want it below %+v", name, s, parent)
		}
	}
}

// A request in the caller's trace: the gate's spans, the app's parent, the log's id.
func TestTrace(t *testing.T) {
	t.Parallel()
	w, c := startTraced(t, "file:routes: [{path: /orders/*}]", "--trace-sample=0")
	token := w.token()
	header := []string{traceparent.Name, askedTrace, "Tracestate", "vendor=1", "Baggage", "b=2"}
	seen := w.headers()
	if a := w.getPath("/orders/hidden?token=hidden"+token, token, header...); a.code != 200 {
		t.Fatalf("%d %s", a.code, a.body)
	}
	app := <-seen
	w.want(200, token) // in no trace
	spans := w.traced(c)
	if len(spans) != 3 {
		t.Fatalf("%+v", spans)
	}
	w.below(spans, "GET /orders/*", "decide", "review")
	request := spans["GET /orders/*"]
	if request.Trace != theTrace || request.Parent != "00f067aa0ba902b7" || request.Attributes["http.response.status_code"] != "200" ||
		request.Attributes["enduser.id"] != "system:serviceaccount:ns:caller" || request.Attributes["sallyport.reason"] != "ok" {
		t.Errorf("%+v", request)
	}
	if d := spans["decide"].Attributes; d["sallyport.result"] != "accepted" || d["sallyport.source"] != "apiserver" {
		t.Errorf("decide: %v", d)
	}
	if r := spans["review"].Attributes; r["http.response.status_code"] != "201" || !strings.Contains(w.server.URL(), r["server.address"]) {
		t.Errorf("review: %v", r)
	}
	if got := app.Get(traceparent.Name); got != "00-"+theTrace+"-"+request.ID+"-01" || app.Get("Tracestate") != "vendor=1" || app.Get("Baggage") != "b=2" {
		t.Errorf("the app gets %v", app)
	}
	if !strings.Contains(w.log.String(), `"trace":"`+theTrace+`"`) {
		t.Errorf("no trace in the log:\n%s", w.log.tail())
	}
}

// A trace that begins here has an id in the log and at the app, and a refusal says why.
func TestTraceOfARefusal(t *testing.T) {
	t.Parallel()
	w, c := startTraced(t, "--trace-sample=1")
	w.want(401, w.token("elsewhere"))
	spans := w.traced(c)
	w.below(spans, "GET", "decide")
	s := spans["GET"]
	if s.Parent != "" || s.Failed || s.Attributes["sallyport.reason"] != "audience" || s.Attributes["enduser.id"] != "" {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(w.log.String(), `"trace":"`+s.Trace+`"`) {
		t.Errorf("%s is not in the log:\n%s", s.Trace, w.log.tail())
	}
}

// What a decision asks outside for: keys, for one that is not known.
func TestTraceOfAFetch(t *testing.T) {
	t.Parallel()
	w, c := startTraced(t, "--mode=oidc", "--trace-sample=0", "file:keyRefresh: {cooldown: 100ms}")
	kid, err := w.cluster.AddKey()
	must(t, err)
	must(t, w.cluster.SignWith(kid))
	w.eventually("let in", func() bool { return w.get(w.token(), traceparent.Name, askedTrace).code == 200 })
	must(t, w.stop())
	decisions, fetches := map[string]bool{}, 0
	for _, s := range c.Spans() {
		decisions[s.ID] = decisions[s.ID] || s.Name == "decide"
	}
	for _, s := range c.Spans() {
		if s.Name == "fetch" && s.Attributes["http.response.status_code"] == "200" && decisions[s.Parent] {
			fetches++
		}
	}
	if fetches == 0 {
		t.Errorf("no fetch below a decision in %+v", c.Spans())
	}
}

// An outage is an error of all that it touches.
func TestTraceOfAnOutage(t *testing.T) {
	t.Parallel()
	w, c := startTraced(t, "--trace-sample=0")
	w.cluster.Fail(minicluster.Reviews, minicluster.Fault{Status: 500})
	if a := w.get(w.token(), traceparent.Name, askedTrace); a.code != 503 {
		t.Fatalf("%d", a.code)
	}
	must(t, w.stop())
	names := map[string]bool{}
	for _, s := range c.Spans() {
		names[s.Name] = true
		if !s.Failed {
			t.Errorf("%+v", s)
		}
	}
	if !names["GET"] || !names["decide"] || !names["review"] {
		t.Errorf("%v", names)
	}
	w.noTokenIn(c.Raw())
}

// Without traces, and in a request that is not traced, trace headers are the caller's.
func TestUntraced(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--trace-endpoint=http://127.0.0.1:9", "--trace-sample=1"}} {
		w := start(t, args...)
		seen := w.headers()
		unsampled := strings.TrimSuffix(askedTrace, "1") + "0"
		w.get(w.token(), traceparent.Name, unsampled, "Tracestate", "a=1", "Tracestate", "b=2")
		app := <-seen
		if app.Get(traceparent.Name) != unsampled || strings.Join(app["Tracestate"], "|") != "a=1|b=2" {
			t.Errorf("%v: the app gets %v", args, app)
		}
	}
}

// Nobody notices a collector that is not there, but for a metric and a line.
func TestNoCollector(t *testing.T) {
	t.Parallel()
	w, c := startTraced(t, "--trace-sample=1")
	c.Answer(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) })
	w.want(200, w.token())
	w.eventually("counted", func() bool { return w.metric(`sallyport_spans_total{result="failed"}`) == "3" })
	if got := w.metric(`sallyport_spans_total{result="sent"}`); got != "0" {
		t.Errorf("%s sent", got)
	}
	// A moment after it is counted.
	w.eventually("said", func() bool { return strings.Contains(w.log.String(), "traces are incomplete") })
	if text := w.log.String(); strings.Count(text, "traces are incomplete") != 1 || !strings.Contains(text, "the collector answers 503") {
		t.Errorf("the log says\n%s", w.log.tail())
	}
}
