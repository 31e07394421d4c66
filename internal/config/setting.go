package config

import (
	"fmt"
	"time"
)

// A setting is one flag, its field in the file, and its default: the one place
// that the parser, the file, the help and the documentation are made from.
type setting struct {
	flag string
	// field is the name in the file; "" means that the file has it elsewhere,
	// or not at all.
	field string
	// value stands for what is to be written, in the help. "" makes it a
	// switch: no value means true.
	value string
	// def is applied where nothing is written; "" means nothing.
	def string
	// learnt is what the help says in place of def.
	learnt string
	help   string
	// group is the heading in the full help.
	group string
	// common puts it on the first screen of the help.
	common bool
	// repeat allows it more than once; in the file it is a list.
	repeat bool
	set    func(l *loader, written []written)
}

// A written value is one value and the place where it stands.
type written struct {
	text, where string
}

// one sets a field from its only value.
func one[T any](field func(*Config) *T, parse func(string) (T, error)) func(*loader, []written) {
	return func(l *loader, ws []written) {
		v, err := parse(ws[0].text)
		if err != nil {
			l.fail(ws[0].where, "%v", err)
			return
		}
		*field(l.config) = v
	}
}

// list sets a field from its values, which must differ.
func list[T comparable](field func(*Config) *[]T, parse func(string) (T, error)) func(*loader, []written) {
	return func(l *loader, ws []written) {
		if len(ws) > maxList {
			l.fail(ws[0].where, "there are %d of them: write at most %d", len(ws), maxList)
			return
		}
		var vs []T
		seen := map[T]bool{}
		for _, w := range ws {
			v, err := parse(w.text)
			switch {
			case err != nil:
				l.fail(w.where, "%v", err)
			case seen[v]:
				l.fail(w.where, "%v is there twice: write it once", v)
			default:
				seen[v] = true
				vs = append(vs, v)
			}
		}
		*field(l.config) = vs
	}
}

// period is a duration between two bounds.
func period(field func(*Config) *time.Duration, least, most time.Duration) func(*loader, []written) {
	return one(field, duration(least, most))
}

// A loader fills a Config, and remembers what is wrong and where all that was
// written stands.
type loader struct {
	config *Config
	errs   Errors
	where  map[string]string // by flag
	bad    map[string]bool   // by flag: what is written there is wrong
	// public are the routes that the short form, public-path, stands for.
	public []route
	routes []route
	// jwtWhere has the places of config.JWT.
	jwtWhere []string
}

func newLoader() *loader {
	l := &loader{config: &Config{}, where: map[string]string{}, bad: map[string]bool{}}
	for _, s := range settings {
		if s.def != "" {
			s.set(l, []written{{s.def, "--" + s.flag}})
		}
	}
	l.config.Headers = defaultHeaders
	l.config.KeyRefresh = defaultKeyRefresh
	return l
}

func (l *loader) fail(where, format string, args ...any) {
	l.errs = append(l.errs, Problem{Where: where, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) warn(where, format string, args ...any) {
	l.config.Warnings = append(l.config.Warnings, where+": "+fmt.Sprintf(format, args...))
}

// apply sets s. What is applied later wins.
func (l *loader) apply(s *setting, ws []written) {
	if len(ws) == 0 {
		return
	}
	l.where[s.flag] = ws[0].where
	before := len(l.errs)
	s.set(l, ws)
	if len(l.errs) > before {
		l.bad[s.flag] = true
	}
}

// written reports whether flag or its field stand anywhere, right or wrong.
func (l *loader) written(flag string) bool { return l.where[flag] != "" }

// at is the place to name in a problem with flag: where it was written, else
// the flag itself.
func (l *loader) at(flag string) string {
	if where := l.where[flag]; where != "" {
		return where
	}
	return "--" + flag
}

// settingOf returns the setting of a flag in the table.
func settingOf(flag string) *setting {
	for i := range settings {
		if settings[i].flag == flag {
			return &settings[i]
		}
	}
	return nil
}
