package verify

import (
	"fmt"
	"regexp"
)

// condition is a compiled Condition.
type condition struct {
	at        place
	equals    string
	pattern   *regexp.Regexp
	parameter string
	optional  bool
	absent    bool
}

// conditions all hold, or don't.
type conditions []condition

// satisfiedBy reports whether r satisfies all conditions. A place that holds two values is
// refused: nobody can say which one the sender meant.
func (c conditions) satisfiedBy(r *Request, p Parameters) (bool, *Rejection) {
	failed, rejection := c.firstFailed(r, p)
	return failed == nil && rejection == nil, rejection
}

// firstFailed is the first condition that r does not satisfy; nil: it satisfies all.
func (c conditions) firstFailed(r *Request, p Parameters) (*condition, *Rejection) {
	for i := range c {
		if c[i].absent {
			if r.has(c[i].at) {
				return &c[i], nil
			}
			continue
		}
		value, rejection := r.lookup(c[i].at)
		if rejection != nil {
			return nil, rejection
		}
		if !c[i].satisfiedBy(value, p) {
			return &c[i], nil
		}
	}
	return nil, nil
}

// byParameter takes the conditions apart: those that hang on what the endpoint
// gives a parameter, and the others.
func (c conditions) byParameter() (with, without conditions) {
	for i := range c {
		if c[i].parameter != "" {
			with = append(with, c[i])
		} else {
			without = append(without, c[i])
		}
	}
	return with, without
}

func (c *condition) satisfiedBy(value string, p Parameters) bool {
	switch {
	case c.optional && len(p[c.parameter]) == 0:
		return true
	case value == "" || len(value) > maxMatched:
		return false
	case c.equals != "":
		return value == c.equals
	case c.pattern != nil:
		return c.pattern.MatchString(value)
	case c.parameter != "":
		return p.contain(c.parameter, value)
	}
	return true
}

// demand says what the condition asks for. The values of a parameter are not
// told: they may be secret.
func (c *condition) demand() string {
	switch {
	case c.equals != "":
		return fmt.Sprintf("must be %q", c.equals)
	case c.pattern != nil:
		return "does not have the form that is accepted here"
	case c.parameter != "":
		return fmt.Sprintf("must be one of the values of the parameter %s", c.parameter)
	case c.absent:
		return "must not be there"
	}
	return "is missing"
}

// contain compares with all values of a parameter in constant time: it may be a
// secret, as Meta's verify token is.
func (p Parameters) contain(name, value string) bool {
	contained := false
	for _, allowed := range p[name] {
		contained = allowed.Equal([]byte(value)) || contained
	}
	return contained
}

// conditions compiles conditions. Claims are known once a request is verified
// only, by schemes that have them: claims says whether that is so.
func (c *compiler) conditions(field string, list []Condition, claims bool) conditions {
	c.check(len(list) <= maxConditions, field, "there may be at most %d", maxConditions)
	var compiled conditions
	for i := range list {
		compiled = append(compiled, c.condition(fmt.Sprintf("%s[%d]", field, i), &list[i], claims))
	}
	return compiled
}

func (c *compiler) condition(field string, in *Condition, claims bool) condition {
	at, err := in.compile()
	c.fail(field, err)
	c.check(at.kind != inClaim || claims, field+".claim", "there are no claims here: they are those of a verified token")
	k := condition{at: at, equals: in.Equals, parameter: in.Parameter, optional: in.Optional, absent: in.Absent}
	set := 0
	for _, is := range [...]bool{in.Equals != "", in.Pattern != "", in.Parameter != "", in.Absent} {
		if is {
			set++
		}
	}
	c.check(set <= 1, field, "set at most one of equals, pattern, parameter and absent")
	c.check(!in.Optional || in.Parameter != "", field+".optional", "needs parameter: it lets the condition hold where the endpoint gives the parameter no value")
	c.fail(field, atMost("equals", in.Equals))
	if in.Pattern != "" {
		k.pattern, err = compilePattern(in.Pattern)
		c.fail(field+".pattern", err)
	}
	c.declared(field+".parameter", in.Parameter)
	return k
}

// compilePattern compiles a regular expression (RE2) that all of a text must
// match. It is compiled by itself first, so that no bracket in it can end the
// group that it is put into.
func compilePattern(text string) (*regexp.Regexp, error) {
	if len(text) > maxName {
		return nil, fmt.Errorf("is longer than %d bytes", maxName)
	}
	if _, err := regexp.Compile(text); err != nil {
		return nil, fmt.Errorf("is not a regular expression (RE2): %w", err)
	}
	pattern, err := regexp.Compile(`^(?:` + text + `)$`)
	if err != nil {
		return nil, fmt.Errorf("is not a regular expression (RE2): %w", err)
	}
	return pattern, nil
}
