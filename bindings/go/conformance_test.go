package loquor_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"loquor"
)

// testCase is one of tests/conformance/cases.json: what every language binding must do alike.
type testCase struct {
	Name, Do, Text, Prompt, Finish, Then, Call, Code, Source, Bytes, ISA, Path string
	IDs                                                                        []int32
	ParseSpecial                                                               bool `json:"parse_special"`
	Messages                                                                   []loquor.Message
	GeneratedTokens                                                            int `json:"generated_tokens"`
	AfterTokens                                                                int `json:"after_tokens"`
	BudgetUS                                                                   int `json:"budget_us"`
	Options                                                                    caseOptions
	Session                                                                    struct{ Ctx int }
	Texts                                                                      []string
	Dimension                                                                  int
	Tolerance                                                                  float64
	Begin                                                                      [][]float64
}

type caseOptions struct {
	MaxTokens   int `json:"max_tokens"`
	Stop        []string
	Temperature *float64
	TopK        *int     `json:"top_k"`
	TopP        *float64 `json:"top_p"`
	Seed        uint64
	Logprobs    int
	MemoryCap   uint64 `json:"memory_cap"`
	KVType      string `json:"kv_type"`
}

func (o caseOptions) generate() *loquor.GenerateOptions {
	g := &loquor.GenerateOptions{MaxTokens: o.MaxTokens, Stop: o.Stop, Seed: o.Seed, Logprobs: o.Logprobs}
	if o.TopK != nil {
		g.Sampler = append(g.Sampler, loquor.TopK(*o.TopK))
	}
	if o.TopP != nil {
		g.Sampler = append(g.Sampler, loquor.TopP(*o.TopP))
	}
	if o.Temperature != nil {
		g.Sampler = append(g.Sampler, loquor.Temperature(*o.Temperature))
	}
	return g
}

func modelFile(t testing.TB) string {
	t.Helper()
	file := os.Getenv("LQ_TEST_MODEL")
	if file == "" {
		cache := os.Getenv("LOQUOR_CACHE")
		if cache == "" {
			base, err := os.UserCacheDir()
			if err != nil {
				t.Fatal(err)
			}
			cache = filepath.Join(base, "loquor")
		}
		file = filepath.Join(cache, "models", "SmolLM2-135M-Instruct.Q4_1.gguf")
	}
	if _, err := os.Stat(file); err != nil {
		t.Skip("needs the default model, which is not cached")
	}
	return file
}

var (
	shared *loquor.Model
	once   sync.Once
	ctx    = context.Background()
)

func model(t testing.TB) *loquor.Model {
	t.Helper()
	file := modelFile(t)
	once.Do(func() { shared = must(loquor.Load(ctx, file, &loquor.LoadOptions{Threads: 2}))(t) })
	return shared
}

// must(f())(t) is f's value, or the end of the test.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func session(t testing.TB, options loquor.SessionOptions) *loquor.Session {
	t.Helper()
	s := must(model(t).NewSession(&options))(t)
	t.Cleanup(func() { s.Close() })
	return s
}

func same(t testing.TB, got, want any, what string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: %#v, expected %#v", what, got, want)
	}
}

func whole(t testing.TB, s *loquor.Session, prompt loquor.Prompt, c testCase) string {
	t.Helper()
	return must(s.Generate(ctx, prompt, c.Options.generate()))(t).Text
}

func ids(t testing.TB, text string) []int32 {
	t.Helper()
	return must(model(t).Tokenize(text, loquor.TokenizeOptions{}))(t)
}

var run = map[string]func(*testing.T, testCase){
	"tokenize": func(t *testing.T, c testCase) {
		got := must(model(t).Tokenize(c.Text, loquor.TokenizeOptions{ParseSpecial: c.ParseSpecial}))(t)
		same(t, append([]int32{}, got...), c.IDs, "ids")
		same(t, must(model(t).Detokenize(got, true))(t), c.Text, "text")
	},
	"generate": func(t *testing.T, c testCase) {
		s := session(t, loquor.SessionOptions{Ctx: 512})
		prompt := loquor.Prompt(loquor.Text(c.Prompt))
		if c.Messages != nil {
			prompt = loquor.Chat(c.Messages)
		}
		streamed := ""
		for piece, err := range s.Stream(ctx, prompt, c.Options.generate()) {
			if err != nil {
				t.Fatal(err)
			}
			streamed += piece
		}
		r := must(s.Result())(t)
		same(t, streamed, c.Text, "streamed")
		same(t, r.Text, c.Text, "text")
		same(t, r.Finish, c.Finish, "finish")
		same(t, r.GeneratedTokens, c.GeneratedTokens, "tokens")
		same(t, len(r.Tokens), c.GeneratedTokens, "tokens")
	},
	"cancel": func(t *testing.T, c testCase) {
		s := session(t, loquor.SessionOptions{Ctx: 512})
		if err := s.Start(ctx, loquor.Text(c.Prompt), nil); err != nil {
			t.Fatal(err)
		}
		for range c.AfterTokens {
			must(s.Step(loquor.Unlimited))(t)
		}
		s.Cancel()
		if _, err := s.Step(loquor.Unlimited); !errors.Is(err, loquor.Cancelled) {
			t.Fatal("step after cancel:", err)
		}
		same(t, must(s.Step(loquor.Unlimited))(t).Kind, loquor.Done, "afterwards")
		same(t, must(s.Result())(t).Finish, "cancelled", "finish")
		same(t, whole(t, s, loquor.Text(c.Then), c), c.Text, "the session again")
	},
	"state": func(t *testing.T, c testCase) {
		first, path := session(t, loquor.SessionOptions{Ctx: 512}), filepath.Join(t.TempDir(), "state")
		must(first.SetPrompt(ids(t, c.Prompt)))(t)
		if err := first.SaveFile(path); err != nil {
			t.Fatal(err)
		}
		saved := must(first.Save())(t)
		for _, load := range []func(*loquor.Session) error{
			func(s *loquor.Session) error { return s.LoadFile(path) },
			func(s *loquor.Session) error { return s.Load(saved) },
		} {
			s := session(t, loquor.SessionOptions{Ctx: 512})
			if err := load(s); err != nil {
				t.Fatal(err)
			}
			same(t, must(s.Tokens())(t), must(first.Tokens())(t), "tokens")
			same(t, whole(t, s, nil, c), c.Text, "text")
		}
	},
	"fork": func(t *testing.T, c testCase) {
		first := session(t, loquor.SessionOptions{Ctx: 512})
		must(first.SetPrompt(ids(t, c.Prompt)))(t)
		second := must(first.Fork())(t)
		same(t, whole(t, second, nil, c), c.Text, "fork")
		same(t, whole(t, first, nil, c), c.Text, "original")
	},
	"logprobs": func(t *testing.T, c testCase) {
		n := 0
		for e, err := range session(t, loquor.SessionOptions{Ctx: 512}).Events(ctx, loquor.Text(c.Prompt), c.Options.generate()) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind != loquor.Token {
				continue
			}
			n++
			same(t, len(e.Top), c.Options.Logprobs, "how many")
			same(t, e.Top[0], loquor.TokenLogprob{Token: e.Token, Logprob: e.Logprob}, "the best")
			same(t, e.Top[1].Logprob <= e.Logprob && e.Logprob <= 0, true, "order")
		}
		same(t, n, c.Options.MaxTokens, "tokens")
	},
	"budget": func(t *testing.T, c testCase) {
		s, text := session(t, loquor.SessionOptions{Ctx: 512}), ""
		if err := s.Start(ctx, loquor.Text(c.Prompt), c.Options.generate()); err != nil {
			t.Fatal(err)
		}
		for e := (loquor.Event{}); e.Kind != loquor.Done; text += e.Text {
			e = must(s.Step(microseconds(c.BudgetUS)))(t)
		}
		same(t, text, c.Text, "text")
	},
	"embed": func(t *testing.T, c testCase) {
		encoder := must(loquor.Load(ctx, os.Getenv("LQ_ENCODER"), nil))(t)
		defer encoder.Close()
		e := must(encoder.NewEmbedder(nil))(t)
		defer e.Close()
		vectors := must(e.Embed(ctx, c.Texts))(t)
		same(t, len(vectors), len(c.Texts), "vectors")
		for i, v := range vectors {
			same(t, len(v), c.Dimension, "dimension")
			for j, x := range c.Begin[i] {
				if math.Abs(float64(v[j])-x) >= c.Tolerance {
					t.Fatalf("text %d, number %d: %v, expected %v", i, j, v[j], x)
				}
			}
		}
	},
	"render": func(t *testing.T, c testCase) {
		same(t, must(model(t).Render(c.Messages, loquor.RenderOptions{}))(t), c.Text, "text")
	},
	"error": func(t *testing.T, c testCase) {
		err := calls[c.Call](t, c)
		var e *loquor.Error
		if !errors.As(err, &e) || e.Code.Error() != c.Code || e.Message == "" {
			t.Fatalf("%#v, expected %s", err, c.Code)
		}
		same(t, errors.Is(err, e.Code), true, "errors.Is")
	},
}

var calls = map[string]func(*testing.T, testCase) error{
	"load": func(t *testing.T, c testCase) error {
		_, err := loquor.Load(ctx, c.Source, &loquor.LoadOptions{MemoryCap: c.Options.MemoryCap})
		return err
	},
	"load_bytes": func(t *testing.T, c testCase) error {
		_, err := loquor.LoadBytes(ctx, []byte(c.Bytes), nil)
		return err
	},
	"load_cancelled": func(t *testing.T, c testCase) error {
		over, cancel := context.WithCancel(ctx)
		cancel()
		_, err := loquor.Load(over, c.Source, nil)
		same(t, errors.Is(err, context.Canceled), true, "the context's error")
		return err
	},
	"context": func(t *testing.T, c testCase) error {
		_, err := loquor.NewContext(&loquor.ContextOptions{ISA: c.ISA})
		return err
	},
	"session": func(t *testing.T, c testCase) error {
		_, err := model(t).NewSession(&loquor.SessionOptions{KVType: c.Options.KVType})
		return err
	},
	"generate": func(t *testing.T, c testCase) error {
		_, err := session(t, loquor.SessionOptions{Ctx: c.Session.Ctx}).Generate(ctx, loquor.Text(c.Prompt), c.Options.generate())
		return err
	},
	"detokenize": func(t *testing.T, c testCase) error {
		_, err := model(t).Detokenize(c.IDs, false)
		return err
	},
	"embedder": func(t *testing.T, c testCase) error {
		_, err := model(t).NewEmbedder(nil)
		return err
	},
	"save": func(t *testing.T, c testCase) error { return session(t, loquor.SessionOptions{}).SaveFile(c.Path) },
	"closed": func(t *testing.T, c testCase) error {
		s := session(t, loquor.SessionOptions{})
		s.Close()
		s.Close()
		return s.Feed([]int32{1})
	},
	"load_state": func(t *testing.T, c testCase) error {
		return session(t, loquor.SessionOptions{}).Load([]byte(c.Bytes))
	},
	"mismatch": func(t *testing.T, c testCase) error {
		s := session(t, loquor.SessionOptions{Ctx: 64, KVType: "q8_0"})
		if err := s.Feed([]int32{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		return session(t, loquor.SessionOptions{Ctx: 64}).Load(must(s.Save())(t))
	},
}

func TestConformance(t *testing.T) {
	model(t)
	text := must(os.ReadFile(os.Getenv("LQ_CASES")))(t)
	var cases []testCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { run[c.Do](t, c) })
	}
}
