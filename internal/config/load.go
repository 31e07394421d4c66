package config

// Load reads the arguments of serve and the file that they name, and returns
// what the operator asks for, complete and valid. Its errors are ErrHelp,
// ErrHelpAll, or Errors with every problem that there is.
func Load(args []string) (*Config, error) { return load(args, readFile) }

func load(args []string, read func(name string) ([]byte, error)) (*Config, error) {
	l := newLoader()
	// Flags are parsed before the file, as one of them names it, and applied
	// after it, as they win.
	fromFlags := newLoader()
	given := fromFlags.parseFlags(args)
	if asked := given["help"]; len(asked) > 0 {
		return nil, helpAsked(asked[len(asked)-1])
	}
	whole := len(given["config"]) == 0
	if names := given["config"]; len(names) == 1 {
		whole = l.readFile(names[0], read)
	}
	l.errs = append(l.errs, fromFlags.errs...)
	for i := range settings {
		l.applyFlag(&settings[i], given[settings[i].flag])
	}
	if whole { // or what the file has would be missed
		l.checkRoutes()
		l.check()
	}
	if len(l.errs) > 0 {
		return nil, l.errs
	}
	return l.config, nil
}

func helpAsked(how string) error {
	switch how {
	case "common":
		return ErrHelp
	case "all":
		return ErrHelpAll
	}
	return Errors{{Where: "--help", Text: `write --help for the common flags, or --help=all for all`}}
}

// applyFlag sets s from the command line. Twice the same flag is refused: of
// two answers to one question the wrong one might win.
func (l *loader) applyFlag(s *setting, given []string) {
	where := "--" + s.flag
	if !s.repeat && len(given) > 1 {
		l.fail(where, "it is there %d times: write it once", len(given))
		l.where[s.flag], l.bad[s.flag] = where, true
		return
	}
	ws := make([]written, len(given))
	for i, text := range given {
		ws[i] = written{text: text, where: where}
	}
	l.apply(s, ws)
}
