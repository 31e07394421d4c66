package config

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/http/httpguts"
)

const mappingNode = yaml.MappingNode

// A node is a value in the file and the way to it. The file is walked as it
// stands, not decoded into structs: so a problem knows its line, and one problem
// does not hide the next.
type node struct {
	*yaml.Node
	l    *loader
	file string
	path string // jwt[0].issuer.url; "" at the top
}

// where is what a problem begins with.
func (n node) where() string {
	place := fmt.Sprintf("%s:%d", n.file, n.Line)
	if n.path == "" {
		return place
	}
	return place + ": " + n.path
}

func (n node) fail(format string, args ...any) { n.l.fail(n.where(), format, args...) }

func (n node) at(path string, child *yaml.Node) node {
	return node{Node: child, l: n.l, file: n.file, path: path}
}

// is reports whether n is of a kind, and fails if not. what says what to write.
func (n node) is(kind yaml.Kind, what string) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		n.fail("references to other places are not followed: write the value out")
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		n.fail("there is no value: write %s, or take the field away", what)
	case n.Kind != kind:
		n.fail("this is %s: write %s", kindName(n.Kind), what)
	default:
		return true
	}
	return false
}

func kindName(k yaml.Kind) string {
	switch k {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a single value"
}

// A field reads one field of an object.
type field func(node)

// object reads n's fields. Unknown and repeated ones fail; hints says more about
// some of the unknown.
func (n node) object(fields map[string]field, hints map[string]string) {
	if !n.is(yaml.MappingNode, "an object with fields") {
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		child := n.at(join(n.path, key.Value), key)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			n.at(n.path, key).fail("the name of a field is a plain word: write it out")
			continue
		}
		if line, ok := seen[key.Value]; ok {
			child.fail("it is in line %d already: write it once", line)
			continue
		}
		seen[key.Value] = key.Line
		read, ok := fields[key.Value]
		if !ok {
			child.unknown(key.Value, fields, hints)
			continue
		}
		read(n.at(child.path, value))
	}
}

func (n node) unknown(name string, fields map[string]field, hints map[string]string) {
	if hint := hints[name]; hint != "" {
		n.fail("%s", hint)
		return
	}
	names := make([]string, 0, len(fields))
	for f := range fields {
		names = append(names, f)
	}
	slices.Sort(names)
	n.fail("there is no such field%s", didYouMean(name, "", names))
}

// join adds a field's name to the way to it: as it stands if that is a plain
// word, since what is written may be anything, of any length.
func join(path, name string) string {
	if len(name) > 64 || !httpguts.ValidHeaderFieldName(name) {
		name = fmt.Sprintf("%.64q", name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// has reports whether the object n has a field of that name.
func (n node) has(name string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

// list calls each with the items of n, and fails beyond most of them.
func (n node) list(most int, each func(node)) {
	if !n.is(yaml.SequenceNode, "a list, like [a, b]") {
		return
	}
	if len(n.Content) > most {
		n.fail("there are %d of them: write at most %d", len(n.Content), most)
		return
	}
	for i, item := range n.Content {
		each(n.at(fmt.Sprintf("%s[%d]", n.path, i), item))
	}
}

// measure returns the text of a duration or a number. A bare number is passed on
// for both: what a duration lacks then is a unit, and not quotes.
func (n node) measure() (written, bool) {
	if tag := n.ShortTag(); n.Kind == yaml.ScalarNode && (tag == "!!int" || tag == "!!float") {
		return written{text: n.Value, where: n.where()}, true
	}
	return n.scalar("!!str")
}

// scalar returns the text of a value with the wanted tag, !!str or !!bool.
// Numbers are taken where text is wanted only if they are in quotes: YAML reads
// 010 and 1e3 in ways that surprise.
func (n node) scalar(tag string) (written, bool) {
	what := map[string]string{"!!str": "text", "!!bool": "true or false"}[tag]
	if !n.is(yaml.ScalarNode, what) {
		return written{}, false
	}
	w := written{text: n.Value, where: n.where()}
	if n.ShortTag() == tag {
		return w, true
	}
	if tag == "!!str" && n.Value != "" {
		n.fail("YAML takes %q for something else than text: write %q in quotes", n.Value, n.Value)
	} else {
		n.fail("%q is not %s: write %s", n.Value, what, what)
	}
	return w, false
}

// into sets a setting from n.
func (n node) into(s *setting) {
	read := func(n node) (written, bool) { return n.scalar("!!str") }
	switch s.value {
	case "":
		read = func(n node) (written, bool) { return n.scalar("!!bool") }
	case timeValue, numberValue, shareValue:
		read = node.measure
	}
	var ws []written
	before := len(n.l.errs)
	if s.repeat {
		n.list(maxRoutes, func(item node) {
			if w, ok := read(item); ok {
				ws = append(ws, w)
			}
		})
	} else if w, ok := read(n); ok {
		ws = append(ws, w)
	}
	n.l.where[s.flag] = n.where() // it is written, if only wrongly or as an empty list
	if len(n.l.errs) > before {
		n.l.bad[s.flag] = true
	}
	n.l.apply(s, ws)
}

// str and boolean set a variable from n.
func (n node) str(to *string) {
	if w, ok := n.scalar("!!str"); ok {
		*to = w.text
	}
}

func (n node) boolean(to *bool) {
	if w, ok := n.scalar("!!bool"); ok {
		v, err := boolean(w.text)
		if err != nil {
			n.fail("%v", err)
		}
		*to = v
	}
}
