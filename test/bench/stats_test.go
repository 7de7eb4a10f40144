package main

import (
	"slices"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	ten := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, c := range []struct {
		values []int
		q      float64
		want   int
	}{
		{nil, 0.5, 0},
		{[]int{7}, 0.99, 7},
		{ten, 0, 1},
		{ten, 0.5, 5},
		{ten, 0.9, 9},
		{ten, 0.91, 10},
		{ten, 1, 10},
	} {
		if got := quantile(c.values, c.q); got != c.want {
			t.Errorf("quantile(%v, %v) = %d, want %d", c.values, c.q, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 2, 3}, 2.5},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	if got, want := milliseconds(12340*time.Microsecond), "12.3 ms"; got != want {
		t.Errorf("milliseconds = %q, want %q", got, want)
	}
}

func TestTypicalP99(t *testing.T) {
	quiet := func(n int) []time.Duration { return slices.Repeat([]time.Duration{time.Millisecond}, n) }
	took := slices.Concat(quiet(100), slices.Repeat([]time.Duration{time.Second}, 100), quiet(150))
	if got := typicalP99(took, 100); got != time.Millisecond {
		t.Errorf("the p99 of a typical second is %s, want 1ms", got)
	}
	if got := typicalP99(quiet(3), 100); got != time.Millisecond {
		t.Errorf("of less than a second it is %s, want 1ms", got)
	}
}
