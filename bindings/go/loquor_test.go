package loquor_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"loquor"
)

func microseconds(n int) time.Duration { return time.Duration(n) * time.Microsecond }

var long = strings.Repeat("Once upon a time there was a fox. ", 300)

const france = " Paris.\n\nThe answer is:"

func TestContextEndsGeneration(t *testing.T) {
	s := session(t, loquor.SessionOptions{Ctx: 2048})
	why := errors.New("enough")
	over, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pieces, failed := 0, error(nil)
	for piece, err := range s.Stream(over, loquor.Text("Count:"), &loquor.GenerateOptions{MaxTokens: 500, IgnoreEnd: true}) {
		failed = err
		if piece != "" {
			if pieces++; pieces == 3 {
				cancel(why)
			}
		}
	}
	if !errors.Is(failed, loquor.Cancelled) || !errors.Is(failed, why) || pieces > 5 {
		t.Fatal(failed, pieces)
	}
	same(t, must(s.Result())(t).Finish, "cancelled", "finish")
	// A context stops nothing but what it was given to.
	r := must(s.Generate(ctx, loquor.Text("The capital of France is"), &loquor.GenerateOptions{MaxTokens: 8}))(t)
	same(t, r.Text, france, "text")
}

func TestDeadlineReachesPromptBeingRead(t *testing.T) {
	s := session(t, loquor.SessionOptions{Ctx: 4096})
	over, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	started := time.Now()
	r, err := s.Generate(over, loquor.Text(long), &loquor.GenerateOptions{MaxTokens: 1})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > time.Second { // to read it all takes some seconds
		t.Fatal(err, time.Since(started))
	}
	same(t, r.Finish, "cancelled", "finish")
}

func TestCancelFromAnotherGoroutine(t *testing.T) {
	s := session(t, loquor.SessionOptions{Ctx: 4096})
	time.AfterFunc(20*time.Millisecond, func() { s.Cancel() })
	if _, err := s.Generate(ctx, loquor.Text(long), nil); !errors.Is(err, loquor.Cancelled) {
		t.Fatal(err)
	}
	// Close ends a call too.
	time.AfterFunc(20*time.Millisecond, func() { s.Close() })
	if _, err := s.Generate(ctx, loquor.Text(long+"?"), nil); err == nil {
		t.Fatal("a closed session went on")
	}
}

func TestLeavingTheLoop(t *testing.T) {
	s := session(t, loquor.SessionOptions{Ctx: 512})
	for range s.Events(ctx, loquor.Text("Count:"), nil) {
		break
	}
	same(t, must(s.Step(loquor.Unlimited))(t).Kind, loquor.Done, "afterwards")
	for _, err := range s.Events(ctx, loquor.Text("Count:"), nil) {
		if err != nil {
			if !errors.Is(err, loquor.InvalidArgument) {
				t.Fatal(err)
			}
			return
		}
		if err := s.Start(ctx, loquor.Text("x"), nil); err != nil { // takes over: the loop's own is at its end
			t.Fatal(err)
		}
	}
	t.Fatal("the loop went on with another's tokens")
}

func TestGoroutines(t *testing.T) {
	m := model(t)
	shared := session(t, loquor.SessionOptions{Ctx: 512})
	var group sync.WaitGroup
	for i := range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			s, err := m.NewSession(nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			r, err := s.Generate(ctx, loquor.Text("The capital of France is"), &loquor.GenerateOptions{MaxTokens: 8})
			if err != nil || r.Text != france {
				t.Error(r, err)
			}
			if err := shared.Feed([]int32{int32(i), 5}); err != nil { // they wait for each other
				t.Error(err)
			}
			if _, err := loquor.Load(ctx, "/none"+strconv.Itoa(i), nil); err == nil || !strings.Contains(err.Error(), "/none"+strconv.Itoa(i)) {
				t.Error("another thread's message:", err)
			}
		}()
	}
	group.Wait()
	same(t, shared.Len(), 8, "tokens")
}

func TestFromBytes(t *testing.T) {
	data := must(os.ReadFile(modelFile(t)))(t)
	m := must(loquor.LoadBytes(ctx, data, &loquor.LoadOptions{Threads: 1}))(t)
	clear(data) // it has a copy
	s := must(m.NewSession(nil))(t)
	m.Close()
	m.Close()
	r := must(s.Generate(ctx, loquor.Text("The capital of France is"), &loquor.GenerateOptions{MaxTokens: 8}))(t)
	same(t, r.Text, france, "text")
	s.Close()
	if _, err := m.NewSession(nil); !errors.Is(err, loquor.InvalidArgument) {
		t.Fatal(err)
	}
}

func resident(t *testing.T) int {
	fields := bytes.Fields(must(os.ReadFile("/proc/self/statm"))(t))
	return must(strconv.Atoi(string(fields[1])))(t) * os.Getpagesize()
}

func TestWhatIsDroppedIsFreed(t *testing.T) {
	m, s := model(t), session(t, loquor.SessionOptions{Ctx: 64})
	large := strings.Repeat("x", 1<<20)
	talk := []loquor.Message{{Role: "user", Content: large, Extra: []byte(`{"a":"` + large + `"}`)}}
	over, cancel := context.WithCancel(ctx)
	cancel()
	uses := map[string]func(){
		"sessions": func() { // a page of the cache is 1.5 MiB
			if err := must(m.NewSession(nil))(t).Feed([]int32{1}); err != nil {
				t.Fatal(err)
			}
			runtime.GC()
		},
		"messages": func() { must(m.Render(talk, loquor.RenderOptions{Template: "a" + strings.Repeat(" ", 1<<18)}))(t) },
		"options": func() {
			s.Start(over, loquor.Text("x"), &loquor.GenerateOptions{Stop: []string{large, large}, StopTokens: make([]int32, 1<<18)})
			s.Start(over, loquor.Text("x"), &loquor.GenerateOptions{Stop: []string{large}, Sampler: []loquor.Stage{{Name: "none"}}})
		},
		"bytes": func() { loquor.LoadBytes(ctx, []byte(large), nil) },
		"forks": func() { must(s.Fork())(t).Close() },
	}
	for name, use := range uses {
		for range 20 {
			use()
		}
		runtime.GC()
		before := resident(t)
		for range 100 {
			use()
		}
		if grown := resident(t) - before; grown > 64<<20 {
			t.Errorf("%s: %d MiB more", name, grown>>20)
		}
	}
}

func TestBadArguments(t *testing.T) {
	m, s := model(t), session(t, loquor.SessionOptions{Ctx: 64})
	_, noBudget := s.Step(0)
	_, noTemplate := m.Render([]loquor.Message{{Role: "user"}}, loquor.RenderOptions{Template: "{{ raise_exception('no') }}"})
	_, noEnd := m.Render([]loquor.Message{{Role: "user"}}, loquor.RenderOptions{Template: "{% for i in range(100000000) %}x{% endfor %}"})
	_, noSession := m.NewSession(&loquor.SessionOptions{Ctx: -1})
	_, noStage := s.Generate(ctx, loquor.Text("x"), &loquor.GenerateOptions{Sampler: []loquor.Stage{{Name: "top_q"}}})
	_, noStop := s.Generate(ctx, loquor.Text("x"), &loquor.GenerateOptions{Stop: []string{"a\x00b"}})
	_, noTokens := s.Generate(ctx, loquor.Tokens{-5}, nil)
	_, noJSON := s.Generate(ctx, loquor.Chat{{Role: "user", Extra: []byte("{")}}, nil)
	for _, c := range []struct {
		err  error
		code loquor.Code
	}{
		{noBudget, loquor.InvalidArgument}, {noTemplate, loquor.TemplateError}, {noEnd, loquor.Limit}, {noSession, loquor.InvalidArgument},
		{noStage, loquor.NotFound}, {noStop, loquor.InvalidArgument}, {noTokens, loquor.InvalidArgument}, {noJSON, loquor.InvalidArgument},
		{s.Rewind(-1), loquor.InvalidArgument}, {s.SetAdapters(loquor.Scaled{}), loquor.InvalidArgument},
	} {
		if !errors.Is(c.err, c.code) || errors.Is(c.err, loquor.Internal) {
			t.Errorf("%v, expected %v", c.err, c.code)
		}
	}
}

func TestWhatModelsKnow(t *testing.T) {
	m := model(t)
	same(t, must(m.Info())(t).Architecture, "llama", "architecture")
	same(t, must(m.Special("eos"))(t), int32(2), "eos")
	out := must(m.Render([]loquor.Message{{Role: "user", Extra: []byte(`{"mood":"good"}`)}},
		loquor.RenderOptions{Template: "{{ messages[0].role }} is {{ messages[0].mood }}"}))(t)
	same(t, out, "user is good", "rendered")
	c := must(loquor.NewContext(&loquor.ContextOptions{Threads: 1, ISA: "scalar"}))(t)
	same(t, must(c.ISA())(t), "scalar", "isa")
	same(t, must(c.Threads())(t), 1, "threads")
	s := session(t, loquor.SessionOptions{Ctx: 64})
	if _, _, err := s.Score([]int32{1, 2, 3}); err != nil || s.Len() != 3 || s.Cap() != 64 || s.Memory() == 0 {
		t.Fatal(err, s.Len(), s.Cap(), s.Memory())
	}
	same(t, len(must(s.Logits())(t)), must(m.Info())(t).VocabSize, "logits")
}
