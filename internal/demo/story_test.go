package demo

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tell tells a little of everything. The clock is the bubble's.
func tell(colour bool) string {
	var b bytes.Buffer
	w := &world{story: newStory(&b, colour)}
	w.story.say("kubelet", "%-6s token %s", "gate", "1bccaf08")
	time.Sleep(2500 * time.Millisecond)
	w.story.title(3, scene{name: "no token", about: "nothing says who is calling", expect: "401"})
	w.story.answered("client", "token 7438400c", answer{code: 200, arrived: identity("cart-0", "")})
	w.story.answered("stranger", "no token", answer{code: 401, challenge: `Bearer realm="sallyport"`})
	time.Sleep(100 * time.Second)
	w.story.answered("cart-2", "token 0a7ad342", answer{code: 503, retry: "4"})
	w.story.answered("cart-2", "token 0a7ad342", answer{err: errors.New("connection refused")})
	w.story.verdict("401", nil)
	w.story.verdict("200 x2", errors.New("the app was reached"))
	w.summary([]outcome{
		{scene: scene{name: "no token", expect: "401"}, came: "401", took: 40 * time.Millisecond},
		{scene: scene{name: "pod deleted", expect: "401 within 2s"}, came: "200 x9", took: 3 * time.Second, err: errors.New("late")},
	}, tally{all: 7, good: 7}, 3*time.Second)
	return b.String()
}

// identity is what a good gate tells the app.
func identity(pod, token string) http.Header {
	h := http.Header{}
	h.Set(userHeader, callerUser)
	h.Set(podHeader, pod)
	h.Set(credentialHeader, "JTI="+token)
	return h
}

const plainStory = `   0.0s  kubelet   gate   token 1bccaf08

 3  no token: nothing says who is calling
   2.5s  expected  401
   2.5s  client    token 7438400c                      200  app saw system:serviceaccount:shop:cart, cart-0
   2.5s  stranger  no token                            401  Bearer realm="sallyport"
 102.5s  cart-2    token 0a7ad342                      503  try again in 4 s
 102.5s  cart-2    token 0a7ad342                      ---  connection refused
 102.5s  ok        401
 102.5s  WRONG     the app was reached (200 x2)

    scene        expected       came    took
 1  no token     401            401     0.0s  ok
 2  pod deleted  401 within 2s  200 x9  3.0s  WRONG

1 of 2 scenes went other than expected; steady 200 x7.
`

const colourStory = `{2}   0.0s{0}  {34}kubelet  {0} gate   token 1bccaf08

{1} 3  no token{0}{2}: nothing says who is calling{0}
{2}   2.5s{0}  {2}expected {0} 401
{2}   2.5s{0}  client    token 7438400c                      {32}200{0}  app saw system:serviceaccount:shop:cart, cart-0
{2}   2.5s{0}  stranger  no token                            {33}401{0}  Bearer realm="sallyport"
{2} 102.5s{0}  cart-2    token 0a7ad342                      {1;31}503{0}  try again in 4 s
{2} 102.5s{0}  cart-2    token 0a7ad342                      {1;31}---{0}  connection refused
{2} 102.5s{0}  {32}ok       {0} 401
{2} 102.5s{0}  {1;31}WRONG    {0} the app was reached (200 x2)

{1}    scene        expected       came    took{0}
 1  no token     401            401     0.0s  {32}ok{0}
 2  pod deleted  401 within 2s  200 x9  3.0s  {1;31}WRONG{0}

{1;31}1 of 2 scenes went other than expected; steady 200 x7.{0}
`

func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		compare(t, tell(false), plainStory)
		// Sequences are written as {n}, to be readable.
		colour := strings.NewReplacer("{", "\x1b[", "}", "m").Replace(colourStory)
		compare(t, tell(true), colour)
	})
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Errorf("line %d\n got %q\nwant %q", i+1, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Errorf("%d lines, want %d", len(g), len(w))
	}
}

func TestSummaryIsGoodOnlyIfAllIs(t *testing.T) {
	fine := outcome{scene: scene{name: "a"}}
	bad := outcome{scene: scene{name: "b"}, err: errors.New("other")}
	for _, tc := range []struct {
		name     string
		outcomes []outcome
		steady   tally
		good     bool
	}{
		{"all", []outcome{fine, fine}, tally{all: 3, good: 3}, true},
		{"one scene is not", []outcome{fine, bad}, tally{all: 3, good: 3}, false},
		{"a steady request is not", []outcome{fine}, tally{all: 3, good: 2, wrong: answer{code: 503}}, false},
		{"no steady requests", []outcome{fine}, tally{}, false},
	} {
		w := &world{story: newStory(&bytes.Buffer{}, false)}
		if good := w.summary(tc.outcomes, tc.steady, time.Second); good != tc.good {
			t.Errorf("%s: good = %v", tc.name, good)
		}
	}
}

func TestColourful(t *testing.T) {
	// A device of characters, like a terminal.
	device, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	if !Colourful(device) || Colourful(file) || Colourful(&bytes.Buffer{}) {
		t.Error("colour is for terminals, and for nothing else")
	}
	t.Setenv("TERM", "dumb")
	if Colourful(device) {
		t.Error("TERM=dumb got colour")
	}
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	if Colourful(device) {
		t.Error("NO_COLOR got colour")
	}
}

func TestInviteReadsTokensFromTheirFile(t *testing.T) {
	var b lockedBuffer
	w, err := open(t.Context(), Options{Out: &b, App: page, Serve: serveFake(admitAll), Program: "/bin/sallyport"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	w.invite(time.Minute)
	for _, want := range []string{
		"$(cat " + w.caller.Path() + ")", "http://" + w.gate.Data, "http://" + w.gate.Admin + "/metrics", "http://" + w.gate.Debug + "/",
		w.log, "for 1m0s", "sallyport doctor $(cat " + w.flags + ")", "sallyport inspect " + w.caller.Path(),
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in:\n%s", want, b.String())
		}
	}
	w.log = ""
	before := len(b.String())
	w.invite(0)
	if s := b.String()[before:]; strings.Contains(s, "tail -f") || !strings.Contains(s, "until Ctrl-C") {
		t.Errorf("a log that goes elsewhere, and no end:\n%s", s)
	}
}
