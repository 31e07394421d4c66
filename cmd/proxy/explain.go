package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/config"
	"sallyport/internal/explain"
	"sallyport/internal/filewatch"
	"sallyport/internal/proxy"
	"sallyport/internal/telemetry"
)

const explainIntro = `Usage: sallyport explain [flags of serve] [flags] < TOKEN

Makes the checks that serve makes of a token, one by one, and says which passed,
which refused, and what would change that. Without flags of serve it takes those
of the serve that runs in this container; --pid says of which.

  kubectl exec -i POD -c sallyport -- /sallyport explain < token
  sallyport explain --config sallyport.yaml --path /orders < token

The token goes to the API server where serve would ask it, and nowhere else.

Exit code: 0 accepted; 1 refused; 2 usage; 3 nobody can tell.`

// explainTimeout bounds the whole: a fetch of keys, a look for the issuer, and a
// decision of serve's, which takes 8 s at most.
const explainTimeout = 20 * time.Second

var explainCommand = command{
	name:    "explain",
	summary: "say which check refuses a token, and what would change that",
	run: func(ctx context.Context, args []string, s streams) error {
		fs := pflag.NewFlagSet("explain", pflag.ContinueOnError)
		path := fs.String("path", "", "also say what becomes of a request for this `PATH`")
		method := fs.String("method", http.MethodGet, "with this `METHOD`")
		output := fs.StringP("output", "o", "text", "text or json")
		pid := pidFlag(fs)
		own, args := ownFlags(fs, args)
		if err := parseFlags(fs, own, explainIntro, s.out); err != nil {
			return ignoreHelp(err)
		}
		if *output != "text" && *output != "json" {
			return usagef("--output: %q is neither text nor json", *output)
		}
		if *path != "" && *path != "*" && !strings.HasPrefix(*path, "/") {
			return usagef("--path: %q does not begin with a slash: write it as it stands in a request", *path)
		}
		c, err := loadAsServe(args, *pid, s)
		if err != nil {
			return err
		}
		text, err := readToken(s)
		if err != nil {
			return undecidedError{err}
		}
		text = strings.TrimSpace(text)
		if text == "" {
			fmt.Fprintln(s.err, "standard input is empty: this is about a request without a token")
		}
		ctx, cancel := context.WithTimeout(ctx, explainTimeout)
		defer cancel()
		r, err := explainRequest(ctx, c, text, *method, *path)
		if err != nil {
			return undecidedError{err}
		}
		write := r.Text
		if *output == "json" {
			write = r.JSON
		}
		return verdict(r, write(s.out))
	},
}

func verdict(r *explain.Report, err error) error {
	switch {
	case err != nil:
		return err
	case r.Verdict == explain.Refused:
		return errRefused
	case r.Verdict == explain.Undecided:
		return errUndecided
	}
	return nil
}

// loadAsServe reads the flags of serve, or those of the serve that runs beside us
// where there are none. pid says which, where there may be more than one; else 0.
func loadAsServe(args []string, pid int, s streams) (*config.Config, error) {
	switch {
	case len(args) > 0 && pid != 0:
		return nil, usagef("--pid and flags of serve: write one of them, they say which gate is meant")
	case len(args) == 0:
		r, err := theRunning("/proc", pid)
		if err != nil {
			return nil, usageError{err.Error()}
		}
		fmt.Fprintf(s.err, "with the flags of the serve that runs here, process %d\n", r.pid)
		args = r.args
	}
	return config.Load(args)
}

// explainRequest decides about one request as serve does, and notes how. The
// error is that there is nobody to decide.
func explainRequest(ctx context.Context, c *config.Config, token, method, path string) (*explain.Report, error) {
	r, o := &explain.Report{}, proxyOptions(c)
	var way proxy.Way
	if path != "" {
		var err error
		if way, err = proxy.WayOf(o, method, path); err != nil {
			return nil, err
		}
		r.Request = &explain.Request{Method: authn.Redact(method), Path: authn.Redact(path), Route: describeWay(way)}
	}
	if way.Route.Public {
		r.Public()
		return r, nil
	}
	log := zap.NewNop()
	cl, err := openCluster(c, filewatch.NewWatcher(log), log)
	if err != nil {
		return nil, err
	}
	d, err := newDecider(c, cl, nil, telemetry.New(telemetry.Options{}), log)
	if err != nil {
		return nil, err
	}
	d.fetchAll(ctx)
	r.Configured = configured(c, cl)
	id, err := decide(ctx, r, d.chain, token)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r.Decide(id, err)
	if err == nil {
		r.Advice = proxy.Warning(o, &id.Token)
	}
	if way.Refused {
		r.OddPath()
	}
	return r, nil
}

// decide makes the steps of serving.
func decide(ctx context.Context, r *explain.Report, chain authn.Authenticator, token string) (authn.Identity, error) {
	h := http.Header{}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	token, err := authn.BearerToken(h)
	r.Step(authn.Step{Check: "header", Err: err})
	if err != nil {
		return authn.Identity{}, err
	}
	id, err := chain.Authenticate(authn.WithSteps(ctx, r.Step), token)
	if err != nil {
		return authn.Identity{}, err
	}
	err = proxy.CheckIdentity(id)
	r.Step(authn.Step{Check: "headers to the app", Err: err})
	return id, err
}

// configured is what the checks hold the token against, learnt or written.
func configured(c *config.Config, cl *cluster) []explain.Setting {
	all := []explain.Setting{
		{Name: "mode", Values: []string{string(c.Mode)}},
		{Name: "API server", Values: []string{cl.host}},
		{Name: "our audiences", Values: c.Audiences},
		{Name: "its audiences", Values: cl.apiAudiences.All()},
		{Name: "its issuers", Values: cl.issuers.All()},
	}
	for _, j := range c.JWT {
		all = append(all, explain.Setting{Name: "issuer", Values: []string{fmt.Sprintf("%s, for %s", j.URL, strings.Join(j.Audiences, ", "))}})
	}
	return append(all, explain.Setting{Name: "leeway", Values: []string{c.Leeway.String()}})
}

func describeWay(w proxy.Way) string {
	text := "no route matches, and so it needs a token"
	switch {
	case w.Refused:
		return "refused, as its path is not canonical: " + w.Problem
	case w.Problem != "":
		text = "its path is not canonical (" + w.Problem + "), and with a token it is forwarded all the same"
	case w.Route.Public:
		text = fmt.Sprintf("the route %s is public, and so no token is looked at", w.Route.Path)
	case w.Route.Path != "":
		text = fmt.Sprintf("the route %s needs a token", w.Route.Path)
	}
	if w.Route.ForwardAuthorization {
		text += "; the app gets the Authorization header too"
	}
	return text
}
