package status

import (
	_ "embed"
	"fmt"
	"strings"
	"time"
)

//go:embed static/page.html
var frame string

// page is all of it, readable by itself.
func page(s *Snapshot) string {
	before, after, _ := strings.Cut(frame, "<!-- main -->")
	return before + body(s) + after
}

// body is what changes.
func body(s *Snapshot) string {
	w := &writer{}
	w.head(s)
	w.ownToken(s)
	w.decisions(s)
	w.refusals(s)
	w.callers(s)
	w.issuers(s)
	return w.String()
}

func (w *writer) head(s *Snapshot) {
	w.markup(`<header class="` + string(s.State) + `"><h1 id="state">`)
	w.text(string(s.State))
	w.markup(`</h1><p id="says">`)
	w.text(s.Says)
	w.markup(`</p></header>` + "\n" + `<dl class="figures">`)
	figure := func(id, name, value string) {
		w.markup(`<div><dt>`)
		w.text(name)
		w.markup(`</dt><dd id="` + id + `">`)
		w.text(value)
		w.markup("</dd></div>\n")
	}
	figure("mode", "mode", s.Mode)
	switch a := s.APIServer; {
	case a == nil:
		figure("apiserver", "API server", "not asked")
	case a.AwaySince.IsZero():
		figure("apiserver", "API server", "answers")
	default:
		figure("apiserver", "API server", "away for "+span(s.Now.Sub(a.AwaySince)))
	}
	figure("inflight", "requests under way", fmt.Sprint(s.InFlight))
	figure("streams", "streams", fmt.Sprint(s.Streams))
	figure("connections", "connections", fmt.Sprint(s.Connections))
	figure("version", "version", s.Version)
	w.markup("</dl>\n")
	w.markup(`<p class="why">`)
	if a := s.APIServer; a != nil && !a.AwaySince.IsZero() {
		w.text(a.Why)
	}
	w.markup("</p>\n")
}

func (w *writer) decisions(s *Snapshot) {
	w.section("decisions", "Decisions, last 15 minutes")
	w.chart(s.Recent, s.Now)
	w.markup(`<p class="axis"><span>15 minutes ago</span><span>now</span></p>` + "\n" + `<p class="legend">Since the start:`)
	for _, c := range []struct {
		class, name string
		n           uint64
	}{{"accepted", "accepted", s.Decisions.Accepted}, {"refused", "refused", s.Decisions.Refused}, {"unavailable", "nobody could say", s.Decisions.Unavailable}} {
		w.markup(` <span class="` + c.class + `"><b id="` + c.class + `">` + fmt.Sprint(c.n) + `</b> `)
		w.text(c.name)
		w.markup("</span>")
	}
	w.markup("</p>\n")
	w.end()
}

// shownRefusals are those that fit beside the rest of the page; JSON has more.
const shownRefusals = 8

func (w *writer) refusals(s *Snapshot) {
	w.section("refusals", "Refusals")
	if len(s.Refusals.ByReason) > 0 {
		w.markup(`<p class="reasons">`)
		for _, r := range s.Refusals.ByReason {
			w.markup(`<span class="chip">`)
			w.text(r.Reason)
			w.markup(fmt.Sprintf(" <b>%d</b></span> ", r.Count))
		}
		w.markup("</p>\n")
	}
	var rows [][]string
	for _, r := range s.Refusals.Last[:min(len(s.Refusals.Last), shownRefusals)] {
		rows = append(rows, []string{r.At.UTC().Format(time.TimeOnly), fmt.Sprint(r.Code), r.Reason, dash(r.Subject), dash(r.Peer), r.Path, r.Detail})
	}
	w.table("None so far.", []string{"UTC", "code", "reason", "whose", "from", "path", "what was found"}, rows)
	w.end()
}

func (w *writer) callers(s *Snapshot) {
	w.section("callers", "Callers")
	var rows [][]string
	for _, c := range s.Callers {
		age, end := nothing, nothing
		if !c.Issued.IsZero() {
			age = span(s.Now.Sub(c.Issued))
		}
		if !c.Expires.IsZero() {
			end = since(c.Expires, s.Now)
		}
		rows = append(rows, []string{c.Subject, fmt.Sprint(c.Requests), fmt.Sprint(c.Refusals), age, end, since(c.Seen, s.Now), strings.Join(c.Flags, ", ")})
	}
	w.table("Nobody has called so far.", []string{"caller", "let through", "refused", "token's age", "expires", "last call", "look at"}, rows)
	w.end()
}

func (w *writer) issuers(s *Snapshot) {
	w.section("issuers", "Issuers and keys")
	var rows [][]string
	for _, i := range s.Issuers {
		if len(i.Keys) == 0 {
			rows = append(rows, []string{i.Name, "no key", "", "", since(i.Fetched, s.Now), i.Problem})
		}
		for _, k := range i.Keys {
			what := i.Problem
			if k.Leaving {
				what = "not published any more"
			}
			rows = append(rows, []string{i.Name, k.ID, k.Algorithm, span(s.Now.Sub(k.Since)), since(i.Fetched, s.Now), what})
		}
	}
	w.table("No keys are used: the API server decides.", []string{"issuer", "key", "alg", "known for", "fetched", "look at"}, rows)
	w.end()
}

func dash(s string) string {
	if s == "" {
		return nothing
	}
	return s
}
