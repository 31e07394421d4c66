package config

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// flagValue collects what is written for a flag. It takes anything: reading it
// is the setting's part, for flags and file alike.
type flagValue struct{ given []string }

// Set implements [pflag.Value].
func (v *flagValue) Set(s string) error { v.given = append(v.given, s); return nil }

// String implements [pflag.Value].
func (v *flagValue) String() string { return strings.Join(v.given, ",") }

// Type implements [pflag.Value].
func (v *flagValue) Type() string { return "value" }

// parseFlags returns what is given for each flag, and help as a flag too. All
// that is no flag becomes a problem.
func (l *loader) parseFlags(args []string) map[string][]string {
	args = slices.Clone(args)
	var unknown []string
	for {
		fs, values := flagSet(unknown, args)
		err := fs.Parse(args)
		var missing *pflag.NotExistError
		switch {
		case errors.As(err, &missing) && missing.GetSpecifiedShortnames() != "":
			// -listen=x: what follows the dash is one word here. Its value, if it
			// stands apart, is left over as an argument, and not worth a word.
			args = l.dropShort(args, "-"+missing.GetSpecifiedShortnames())
			unknown = append(unknown, "")
			continue
		case errors.As(err, &missing):
			l.unknownFlag(missing.GetSpecifiedName())
			unknown = append(unknown, missing.GetSpecifiedName())
			continue
		case err != nil:
			l.fail("command line", "%v: write --help to see every flag", err)
		}
		if len(unknown) == 0 && fs.NArg() > 0 {
			l.fail("command line", "%q is not a flag: write flags alone, like --audience NAME", fs.Arg(0))
		}
		return collect(values)
	}
}

// flagSet has every flag of the table, and those found unknown, so that parsing
// gets past them.
func flagSet(unknown, args []string) (*pflag.FlagSet, map[string]*flagValue) {
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	fs.Usage = func() {}
	values := map[string]*flagValue{}
	for _, s := range settings {
		values[s.flag] = &flagValue{}
		f := fs.VarPF(values[s.flag], s.flag, "", s.help)
		if s.value == "" {
			f.NoOptDefVal = "true"
		}
	}
	values["help"] = &flagValue{}
	fs.VarPF(values["help"], "help", "h", "").NoOptDefVal = "common"
	for _, name := range unknown {
		if name == "" {
			continue
		}
		f := fs.VarPF(&flagValue{}, name, "", "")
		// Whether it would have taken a value is a guess: the next argument, if
		// it does not look like a flag.
		if i := slices.Index(args, "--"+name); i == len(args)-1 || i >= 0 && strings.HasPrefix(args[i+1], "-") {
			f.NoOptDefVal = "true"
		}
	}
	return fs, values
}

func collect(values map[string]*flagValue) map[string][]string {
	given := map[string][]string{}
	for name, v := range values {
		if len(v.given) > 0 {
			given[name] = v.given
		}
	}
	return given
}

// dropShort takes away the first argument that is arg, and says why.
func (l *loader) dropShort(args []string, arg string) []string {
	name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
	if settingOf(name) != nil {
		l.fail("-"+name, "flags have two dashes: write --%s", name)
	} else {
		l.fail("-"+name, "there is no such flag%s", didYouMean(name, "--", flagNames()))
	}
	i := slices.Index(args, arg)
	if i < 0 {
		return nil // it stands behind another letter, as in -hx
	}
	return slices.Delete(args, i, i+1)
}

func (l *loader) unknownFlag(name string) {
	if i := slices.IndexFunc(fileOnly, func(field string) bool { return kebab(field) == strings.ToLower(name) }); i >= 0 {
		l.fail("--"+name, "this has no flag: write it as %s: in the file of --config", fileOnly[i])
		return
	}
	l.fail("--"+name, "there is no such flag%s", didYouMean(name, "--", flagNames()))
}

func flagNames() []string {
	names := []string{"help"}
	for _, s := range settings {
		names = append(names, s.flag)
	}
	return names
}

// kebab is a field's name as a flag would have it.
func kebab(field string) string {
	var b strings.Builder
	for _, r := range field {
		if 'A' <= r && r <= 'Z' {
			b.WriteByte('-')
			r |= 0x20
		}
		b.WriteRune(r)
	}
	return b.String()
}
