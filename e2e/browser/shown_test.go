package browser

import (
	"fmt"
	"strings"

	"sallyport/internal/status"
)

// shown is all on the page that is not an age.
type shown struct {
	State, Says, Mode, Version                string
	InFlight, Streams, Connections            string
	Accepted, Refused, Unavailable, Rotations string
	Reasons, Refusals, Callers, Keys          []string
}

// same compares them as they read: a list that is empty is one that is not there.
func same(a, b shown) bool { return fmt.Sprintf("%+q", a) == fmt.Sprintf("%+q", b) }

// read takes it from the page.
const read = `(() => {
	const text = (id) => document.getElementById(id).textContent;
	const rows = (id, ...heads) => [...document.querySelectorAll("#" + id + " tbody tr")].map((row) =>
		heads.map((head) => row.querySelector('[data-head="' + head + '"]').textContent).join(" | "));
	return {
		State: text("state"), Says: text("says"), Mode: text("mode"), Version: text("version"),
		InFlight: text("inflight"), Streams: text("streams"), Connections: text("connections"),
		Accepted: text("accepted"), Refused: text("refused"), Unavailable: text("unavailable"), Rotations: text("rotations"),
		Reasons: [...document.querySelectorAll(".reasons .chip")].map((chip) => chip.textContent),
		Refusals: rows("refusals", "UTC", "code", "reason", "whose", "from", "path", "what was found"),
		Callers: rows("callers", "caller", "let through", "refused", "look at"),
		Keys: rows("issuers", "issuer", "key", "alg"),
	};
})()`

// wanted is what the page has to show of a snapshot: of the refusals, the last 8.
func wanted(s *status.Snapshot) shown {
	w := shown{
		State: string(s.State), Says: s.Says, Mode: s.Mode, Version: s.Version,
		InFlight: fmt.Sprint(s.InFlight), Streams: fmt.Sprint(s.Streams), Connections: fmt.Sprint(s.Connections),
		Accepted: fmt.Sprint(s.Decisions.Accepted), Refused: fmt.Sprint(s.Decisions.Refused), Unavailable: fmt.Sprint(s.Decisions.Unavailable),
		Rotations: fmt.Sprint(s.OwnToken.Rotations),
	}
	for _, r := range s.Refusals.ByReason {
		w.Reasons = append(w.Reasons, fmt.Sprintf("%s %d", r.Reason, r.Count))
	}
	for _, r := range s.Refusals.Last[:min(8, len(s.Refusals.Last))] {
		w.Refusals = append(w.Refusals, line(r.At.UTC().Format("15:04:05"), fmt.Sprint(r.Code), r.Reason, dash(r.Subject), dash(r.Peer), r.Path, r.Detail))
	}
	for _, c := range s.Callers {
		w.Callers = append(w.Callers, line(c.Subject, fmt.Sprint(c.Requests), fmt.Sprint(c.Refusals), strings.Join(c.Flags, ", ")))
	}
	for _, i := range s.Issuers {
		for _, k := range i.Keys {
			w.Keys = append(w.Keys, line(i.Name, k.ID, k.Algorithm))
		}
	}
	return w
}

func line(cells ...string) string { return strings.Join(cells, " | ") }

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
