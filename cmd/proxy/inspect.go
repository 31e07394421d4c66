package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/authn/oidc"
	"sallyport/internal/certfile"
	"sallyport/internal/filewatch"
	"sallyport/internal/inspect"
)

const inspectIntro = `Usage: sallyport inspect [FILE|DIRECTORY|-] [flags]

Says what a token is: of what kind, whose, for whom, until when, and what is odd
about it. Reads a file, each token of a directory such as a projected volume, or
standard input. The token is sent to nobody, and its signature is not shown.

  sallyport inspect /var/run/secrets/tokens
  kubectl create token app | sallyport inspect
  sallyport inspect token --issuer https://issuer.example

Exit code: 0 shown; 1 refused by its form, or the signature is not good;
2 usage; 3 there is nothing to read, or the keys cannot be had.`

// An inspection is what the flags ask for.
type inspection struct {
	issuer, jwks, caFile, output string
}

var inspectCommand = command{
	name:    "inspect",
	summary: "say what a token is, without sending it anywhere",
	run: func(ctx context.Context, args []string, s streams) error {
		var i inspection
		fs := pflag.NewFlagSet("inspect", pflag.ContinueOnError)
		fs.StringVar(&i.issuer, "issuer", "", "check the signature with the keys that this `URL` publishes by OpenID discovery")
		fs.StringVar(&i.jwks, "jwks", "", "check the signature with this JWK Set, a `FILE` or a URL")
		fs.StringVar(&i.caFile, "ca-file", "", "PEM roots for those URLs, in place of the system's")
		fs.StringVarP(&i.output, "output", "o", "text", "text or json")
		names, err := parseArgs(fs, args, inspectIntro, s.out)
		switch {
		case err != nil:
			return ignoreHelp(err)
		case len(names) > 1:
			return usagef("%q and %q: name one file, or a directory", names[0], names[1])
		case i.output != "text" && i.output != "json":
			return usagef("--output: %q is neither text nor json", i.output)
		case i.issuer != "" && i.jwks != "":
			return usagef("--issuer and --jwks: write one of them")
		case i.caFile != "" && i.issuer == "" && !isURL(i.jwks):
			return usagef("--ca-file goes with a URL, and there is none")
		}
		return i.run(ctx, append(names, "-")[0], s)
	},
}

func (i *inspection) run(ctx context.Context, name string, s streams) error {
	inputs, unread := i.inputs(name, s)
	keys, err := i.keys()
	if err != nil {
		return usagef("%v", err)
	}
	var first error
	for n, in := range inputs {
		r := inspect.Token(in.Text, time.Now())
		r.At(in.File)
		if r.Refused != "" || r.Kind == inspect.Unreadable {
			first = cmp.Or(first, errRefused)
		}
		if keys != nil {
			first = cmp.Or(i.check(ctx, r, in.Text, keys), first)
		}
		if i.output == "json" {
			err = r.JSON(s.out)
		} else {
			if n > 0 {
				fmt.Fprintln(s.out)
			}
			err = r.Text(s.out)
		}
		if err != nil {
			return err
		}
	}
	if unread != nil {
		return undecidedError{unread}
	}
	return first
}

func (i *inspection) inputs(name string, s streams) ([]inspect.Input, error) {
	if name != "-" {
		return inspect.Open(name)
	}
	text, err := readToken(s)
	switch {
	case err != nil:
		return nil, err
	case strings.TrimSpace(text) == "":
		return nil, errors.New("standard input is empty")
	}
	return []inspect.Input{{Text: text}}, nil
}

// keys is where the signature's keys are fetched, nil where nobody asked.
func (i *inspection) keys() (oidc.Source, error) {
	if i.issuer == "" && i.jwks == "" {
		return nil, nil
	}
	if i.jwks != "" && !isURL(i.jwks) {
		return func(context.Context) (oidc.Document, error) {
			b, err := filewatch.Read(i.jwks, filewatch.MaxFile)
			return oidc.Document{Keys: b}, err
		}, nil
	}
	var roots *x509.CertPool
	if i.caFile != "" {
		pool, err := certfile.OpenPool(zap.NewNop(), nil, i.caFile)
		switch {
		case err != nil:
			return nil, fmt.Errorf("--ca-file: %w", err)
		case !pool.Ready():
			return nil, fmt.Errorf("--ca-file: there is no %s", i.caFile)
		}
		roots = pool.Roots()
	}
	client := publicClient(roots)
	if i.jwks != "" {
		return oidc.Published(i.jwks, client), nil
	}
	return oidc.Discovered(i.issuer, "", client), nil
}

// check has the signature checked, and says so in the report.
func (i *inspection) check(ctx context.Context, r *inspect.Report, text string, keys oidc.Source) error {
	whose := authn.Redact(cmp.Or(i.issuer, i.jwks)) // who mixed up the arguments wrote the token there
	if i.issuer != "" && r.Issuer != i.issuer {
		r.Signature.Text = fmt.Sprintf("not checked: the token says that it is from %q, and --issuer is %q", r.Issuer, whose)
		return errRefused
	}
	doc, err := keys(ctx)
	if err != nil {
		r.Signature.Text = fmt.Sprintf("not checked: %s%s", authn.Redact(err.Error()), howElse(err))
		return errUndecided
	}
	id, err := doc.Verify(ctx, inspect.Unwrap(text))
	switch reason := authn.ReasonOf(err); {
	case err == nil:
		r.Signature = inspect.Signature{Checked: true, Good: true, Text: fmt.Sprintf("good: made with the key %q of %s", id, whose)}
		return nil
	case errors.Is(err, authn.ErrUnavailable):
		r.Signature.Text = fmt.Sprintf("not checked: %s: %v", whose, err)
		return errUndecided
	case reason != authn.Signature && reason != authn.UnknownKey:
		r.Signature.Text = "not checked: the token has not the form of one"
	default:
		r.Signature = inspect.Signature{Checked: true, Text: "NOT GOOD: " + why(err)}
	}
	return errRefused
}

// howElse helps with an issuer that wants to know who asks, as an API server
// does: no credential is sent from here.
func howElse(err error) string {
	var status *oidc.StatusError
	if errors.As(err, &status) && (status.Code == 401 || status.Code == 403) {
		return "; an API server publishes its keys to those who log in: kubectl get --raw /openid/v1/jwks > keys.json, and --jwks keys.json"
	}
	return ""
}

func why(err error) string {
	var e *authn.Error
	if errors.As(err, &e) {
		return string(e.Reason) + ": " + e.Detail
	}
	return err.Error()
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && strings.HasPrefix(u.Scheme, "http")
}
