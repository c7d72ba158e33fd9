package loquor

/*
#include <loquor.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// Prompt is Text, Chat or Tokens; nil goes on from what the session holds.
type Prompt interface{ isPrompt() }

type (
	Text   string    // a text as it is
	Chat   []Message // a conversation, through the model's chat template
	Tokens []int32   // tokens
)

func (Text) isPrompt()   {}
func (Chat) isPrompt()   {}
func (Tokens) isPrompt() {}

// Stage is one of a sampler's: "top_k", "temperature", ... (lq_sampler.h lists them).
type Stage struct {
	Name   string
	Values []float64
}

func Temperature(t float64) Stage   { return Stage{"temperature", []float64{t}} }
func TopK(k int) Stage              { return Stage{"top_k", []float64{float64(k)}} }
func TopP(p float64) Stage          { return Stage{"top_p", []float64{p}} }
func MinP(p float64) Stage          { return Stage{"min_p", []float64{p}} }
func TypicalP(p float64) Stage      { return Stage{"typical_p", []float64{p}} }
func RepeatPenalty(r float64) Stage { return Stage{"repeat_penalty", []float64{r}} }

// GenerateOptions: the zero value is greedy and goes on until the model ends its text or the context is full.
type GenerateOptions struct {
	MaxTokens    int
	Stop         []string // the text ends before the first of them
	StopTokens   []int32
	Sampler      []Stage // run in this order
	Seed         uint64
	Logprobs     int  // how many most probable tokens to report for each
	IgnoreEnd    bool // the model's own end tokens do not end it
	Append       bool // the prompt is appended to what the session holds
	ParseSpecial bool // a Text may hold control tokens
	NoBegin      bool // no begin token before a Text
	Lookup       int  // prompt lookup: 0 chosen by the library, -1 none
	Tools        json.RawMessage
}

// Kind of an event.
type Kind int

const (
	Working Kind = C.LQ_EVENT_WORKING // the budget is used up
	Token   Kind = C.LQ_EVENT_TOKEN
	Done    Kind = C.LQ_EVENT_DONE
)

// TokenLogprob is a token and the natural logarithm of its probability.
type TokenLogprob struct {
	Token   int32
	Logprob float64
}

// Event is what a step did.
type Event struct {
	Kind                    Kind
	Token                   int32   // -1 unless Kind is Token
	Index                   int     // how many tokens the generation made before it
	Text                    string  // what is now complete, maybe ""; never half a character
	Logprob                 float64 // NaN if Logprobs was 0
	Top                     []TokenLogprob
	Finish                  string // with Done: "stop", "length", "context_full", "cancelled"
	PromptDone, PromptTotal int
}

// Result is a generation with its figures.
type Result struct {
	Text                                        string
	Tokens                                      []int32
	Finish                                      string
	PromptTokens, ReusedTokens, GeneratedTokens int
	DraftedTokens, AcceptedTokens               int
	Load, Prefill, Decode, FirstToken           time.Duration
	PrefillPerSecond, DecodePerSecond           float64
}

// coptions holds options in C's memory.
type coptions struct {
	o    C.lq_generate_options
	stop []*C.char
}

func newOptions(g *GenerateOptions) (*coptions, error) {
	c := &coptions{}
	if g.MaxTokens < 0 || g.Logprobs < 0 {
		return c, invalid("numbers of tokens are not negative")
	}
	c.o = C.lq_generate_options{max_tokens: C.uint32_t(g.MaxTokens), logprobs: C.uint32_t(g.Logprobs),
		ignore_end: flag(g.IgnoreEnd), append: flag(g.Append), parse_special: flag(g.ParseSpecial),
		no_begin: flag(g.NoBegin), lookup: C.int32_t(g.Lookup)}
	c.o.struct_size = C.uint32_t(unsafe.Sizeof(c.o))
	if len(g.Stop) > 0 {
		list := (**C.char)(C.calloc(C.size_t(len(g.Stop)), C.size_t(unsafe.Sizeof((*C.char)(nil)))))
		c.stop = unsafe.Slice(list, len(g.Stop))
		for i, s := range g.Stop {
			if strings.IndexByte(s, 0) >= 0 {
				return c, invalid("a stop string holds NUL")
			}
			c.stop[i] = C.CString(s)
		}
		c.o.stop, c.o.stop_count = list, C.size_t(len(g.Stop))
	}
	if len(g.StopTokens) > 0 {
		size := C.size_t(len(g.StopTokens)) * 4
		c.o.stop_tokens = (*C.int32_t)(C.CBytes(unsafe.Slice((*byte)(unsafe.Pointer(&g.StopTokens[0])), int(size))))
		c.o.stop_token_count = C.size_t(len(g.StopTokens))
	}
	return c, c.sampler(g)
}

func (c *coptions) sampler(g *GenerateOptions) error {
	if len(g.Sampler) == 0 {
		return nil
	}
	var sampler *C.lq_sampler
	if err := call(func() C.lq_status { return C.lq_sampler_create(&sampler) }); err != nil {
		return err
	}
	c.o.sampler = sampler
	for _, stage := range g.Sampler {
		name := C.CString(stage.Name)
		values := (*C.double)(unsafe.SliceData(stage.Values))
		err := call(func() C.lq_status {
			return C.lq_sampler_add_values(sampler, name, values, C.size_t(len(stage.Values)))
		})
		free(name)
		if err != nil {
			return err
		}
	}
	return call(func() C.lq_status { return C.lq_sampler_seed(sampler, C.uint64_t(g.Seed)) })
}

func (c *coptions) free() {
	for _, s := range c.stop {
		free(s)
	}
	C.free(unsafe.Pointer(c.o.stop))
	C.free(unsafe.Pointer(c.o.stop_tokens))
	C.lq_sampler_free((*C.lq_sampler)(c.o.sampler))
}

// Start begins a generation and returns at once; Step does the work. Another one of the session is given up. Options may be
// nil. Ending ctx, while it starts or later, ends the generation.
func (s *Session) Start(ctx context.Context, prompt Prompt, options *GenerateOptions) error {
	_, err := s.start(ctx, prompt, options)
	return err
}

func (s *Session) start(ctx context.Context, prompt Prompt, options *GenerateOptions) (generation int, err error) {
	if options == nil {
		options = &GenerateOptions{}
	}
	o, err := newOptions(options)
	defer o.free()
	if err != nil {
		return 0, err
	}
	w, err := newWatch(ctx)
	if err != nil {
		return 0, err
	}
	o.o.cancel = w.cancel()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	defer runtime.KeepAlive(s)
	s.watch.end()
	s.watch = w
	s.generation++
	return s.generation, w.explain(s.begin(prompt, o, options.Tools))
}

func (s *Session) begin(prompt Prompt, o *coptions, tools json.RawMessage) error {
	switch p := prompt.(type) {
	case nil:
		return call(func() C.lq_status { return C.lq_session_start(s.c, nil, 0, &o.o) })
	case Text:
		length := C.size_t(len(p))
		if length == 0 {
			p = "\x00" // a pointer that is not nil: an empty prompt is not the same as none
		}
		return call(func() C.lq_status { return C.lq_session_start(s.c, bytesOf(string(p)), length, &o.o) })
	case Tokens:
		return call(func() C.lq_status { return C.lq_session_start_tokens(s.c, idPointer(p), C.size_t(len(p)), &o.o) })
	case Chat:
		list := newMessages(p, tools)
		defer list.free()
		return call(func() C.lq_status {
			return C.lq_session_start_chat(s.c, list.list, C.size_t(list.n), &list.chat, &o.o)
		})
	}
	return invalid("a prompt is a Text, a Chat, Tokens or nil")
}

// Unlimited is a budget: as long as it takes until the next token.
const Unlimited time.Duration = -1

// Step does as much of the next token's work as fits in the budget (at least a layer of the network).
func (s *Session) Step(budget time.Duration) (Event, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.step(budget)
}

func (s *Session) step(budget time.Duration) (Event, error) {
	defer runtime.KeepAlive(s)
	us := C.uint64_t(math.MaxUint64)
	if budget >= 0 {
		us = C.uint64_t(budget.Microseconds())
	}
	var e C.lq_event
	e.struct_size = C.uint32_t(unsafe.Sizeof(e))
	if err := call(func() C.lq_status { return C.lq_session_step(&e, s.c, us) }); err != nil {
		return Event{}, s.watch.explain(err)
	}
	event := Event{Kind: Kind(e.kind), Token: int32(e.token), Index: int(e.index), Logprob: float64(e.logprob),
		Text: C.GoStringN(e.text, C.int(e.text_length)), PromptDone: int(e.prompt_done), PromptTotal: int(e.prompt_total)}
	for _, t := range unsafe.Slice(e.top, int(e.top_count)) {
		event.Top = append(event.Top, TokenLogprob{int32(t.token), float64(t.logprob)})
	}
	if event.Kind == Done {
		event.Finish = C.GoString(C.lq_finish_name(C.lq_finish(e.finish)))
	}
	return event, nil
}

// stepOf is a step of one generation, whichever others were begun meanwhile.
func (s *Session) stepOf(generation int) (Event, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if generation != s.generation {
		return Event{}, invalid("another generation was begun on the session")
	}
	return s.step(Unlimited)
}

func (s *Session) stopOf(generation int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if generation == s.generation {
		C.lq_session_stop(s.c)
	}
}

// Stop gives up the generation that is going on, keeping what was made.
func (s *Session) Stop() error { return s.do(func() C.lq_status { return C.lq_session_stop(s.c) }) }

// Events generates token by token; the last event is Done. Leaving the loop ends the generation. An error ends it too.
func (s *Session) Events(ctx context.Context, prompt Prompt, options *GenerateOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		generation, err := s.start(ctx, prompt, options)
		if err != nil {
			yield(Event{Token: -1}, err)
			return
		}
		for {
			event, err := s.stepOf(generation)
			if err != nil {
				yield(event, err)
				return
			}
			if event.Kind == Working {
				continue
			}
			if !yield(event, nil) {
				s.stopOf(generation)
				return
			}
			if event.Kind == Done {
				return
			}
		}
	}
}

// Stream generates text piece by piece.
func (s *Session) Stream(ctx context.Context, prompt Prompt, options *GenerateOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for event, err := range s.Events(ctx, prompt, options) {
			if (event.Text != "" || err != nil) && !yield(event.Text, err) {
				return
			}
		}
	}
}

// Generate makes the whole text. When ctx ends it, the result holds what was made, beside the error.
func (s *Session) Generate(ctx context.Context, prompt Prompt, options *GenerateOptions) (*Result, error) {
	var failed error
	for _, err := range s.Events(ctx, prompt, options) {
		failed = err
	}
	if failed != nil && !errors.Is(failed, Cancelled) {
		return nil, failed
	}
	result, err := s.Result()
	if failed != nil {
		err = failed
	}
	return result, err
}

func milliseconds(ms C.double) time.Duration {
	return time.Duration(float64(ms) * float64(time.Millisecond))
}

// Result gives the figures, text and tokens of the last generation, also while it is going on.
func (s *Session) Result() (*Result, error) {
	var out *Result
	err := s.do(func() C.lq_status {
		var r C.lq_result
		r.struct_size = C.uint32_t(unsafe.Sizeof(r))
		if status := C.lq_session_result(&r, s.c); status != C.LQ_OK {
			return status
		}
		out = &Result{Finish: C.GoString(C.lq_finish_name(C.lq_finish(r.finish))), PromptTokens: int(r.prompt_tokens),
			ReusedTokens: int(r.reused_tokens), GeneratedTokens: int(r.generated_tokens),
			DraftedTokens: int(r.drafted_tokens), AcceptedTokens: int(r.accepted_tokens),
			Load: milliseconds(r.load_ms), Prefill: milliseconds(r.prefill_ms), Decode: milliseconds(r.decode_ms),
			FirstToken: milliseconds(r.first_token_ms), PrefillPerSecond: float64(r.prefill_tps),
			DecodePerSecond: float64(r.decode_tps)}
		var text *C.char
		var ids *C.int32_t
		var n C.size_t
		if status := C.lq_session_output(&text, &n, s.c); status != C.LQ_OK {
			return status
		}
		out.Text = string(unsafe.Slice((*byte)(unsafe.Pointer(text)), int(n)))
		status := C.lq_session_output_tokens(&ids, &n, s.c)
		if status == C.LQ_OK {
			out.Tokens = append(out.Tokens, unsafe.Slice((*int32)(ids), int(n))...)
		}
		return status
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
