package loquor

/*
#include <loquor.h>
#include <stdlib.h>
*/
import "C"

import (
	"runtime"
	"sync"
	"unsafe"
)

// SessionOptions: the zero value is good.
type SessionOptions struct {
	Ctx          int    // most tokens it holds; 0: as many as the model was trained with
	KVType       string // "f16" (default), "q8_0", "f32"
	Slide        bool   // when the context is full, forget the oldest half of what follows the first SlideKeep tokens
	SlideKeep    int
	PrefillChunk int    // tokens computed at once while reading a prompt; 0: chosen by the library
	Wipe         bool   // the cache is overwritten with zeros when it is released
	MemoryCap    uint64 // bytes that it may take; 0: no cap
}

// Session is one conversation or document: the tokens the model has seen, and what it remembers of them.
type Session struct {
	c          *C.lq_session
	bytes      *memory
	once       sync.Once
	mutex      sync.Mutex
	watch      *watch // of the generation that is going on
	generation int    // counts them, so that an iterator knows whether it is still its own
}

// NewSession makes an empty session of the model. Options may be nil.
func (m *Model) NewSession(options *SessionOptions) (*Session, error) {
	if options == nil {
		options = &SessionOptions{}
	}
	if options.Ctx < 0 || options.SlideKeep < 0 || options.PrefillChunk < 0 {
		return nil, invalid("numbers of tokens are not negative")
	}
	kvType := cstring(options.KVType)
	defer free(kvType)
	o := C.lq_session_options{n_ctx: C.uint32_t(options.Ctx), kv_type: kvType, overflow: flag(options.Slide),
		slide_keep: C.uint32_t(options.SlideKeep), prefill_chunk: C.uint32_t(options.PrefillChunk),
		wipe: flag(options.Wipe), memory_cap: C.uint64_t(options.MemoryCap)}
	o.struct_size = C.uint32_t(unsafe.Sizeof(o))
	defer runtime.KeepAlive(m)
	return newSession(m.bytes, func(out **C.lq_session) C.lq_status { return C.lq_session_create(out, m.c, &o) })
}

func newSession(bytes *memory, make func(**C.lq_session) C.lq_status) (*Session, error) {
	var c *C.lq_session
	if err := call(func() C.lq_status { return make(&c) }); err != nil {
		return nil, err
	}
	s := &Session{c: c, bytes: bytes.keep()}
	runtime.SetFinalizer(s, (*Session).Close)
	return s, nil
}

// Close frees it; a call that is running ends first. A second call does nothing. The error is always nil.
func (s *Session) Close() error {
	s.once.Do(func() {
		C.lq_session_cancel(s.c)
		s.mutex.Lock()
		defer s.mutex.Unlock()
		C.lq_session_free(s.c)
		s.watch.end()
		s.watch = nil
		s.bytes.drop()
		runtime.SetFinalizer(s, nil)
	})
	return nil
}

// do runs f, one call at a time.
func (s *Session) do(f func() C.lq_status) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	defer runtime.KeepAlive(s)
	return call(f)
}

// Cancel makes the call that is running on the session, or else the next one, fail with Cancelled.
func (s *Session) Cancel() error {
	defer runtime.KeepAlive(s)
	return call(func() C.lq_status { return C.lq_session_cancel(s.c) })
}

// Fork makes a second session with the same tokens; what they share is stored once.
func (s *Session) Fork() (*Session, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	defer runtime.KeepAlive(s)
	return newSession(s.bytes, func(out **C.lq_session) C.lq_status { return C.lq_session_fork(out, s.c) })
}

// SetPrompt makes the session hold exactly these tokens; reused is how many were not computed again.
func (s *Session) SetPrompt(ids []int32) (reused int, err error) {
	var n C.size_t
	err = s.do(func() C.lq_status { return C.lq_session_set_prompt(&n, s.c, idPointer(ids), C.size_t(len(ids))) })
	return int(n), err
}

// Feed appends tokens and computes them.
func (s *Session) Feed(ids []int32) error {
	return s.do(func() C.lq_status { return C.lq_session_feed(s.c, idPointer(ids), C.size_t(len(ids))) })
}

// Score appends tokens and gives the sum of the natural logarithms of their probabilities, and of how many that is.
func (s *Session) Score(ids []int32) (logprob float64, scored int, err error) {
	var sum C.double
	var n C.size_t
	err = s.do(func() C.lq_status { return C.lq_session_score(&sum, &n, s.c, idPointer(ids), C.size_t(len(ids))) })
	return float64(sum), int(n), err
}

// Logits gives a copy of the scores of the next token.
func (s *Session) Logits() ([]float32, error) {
	var values *C.float
	var n C.size_t
	var out []float32
	err := s.do(func() C.lq_status {
		status := C.lq_session_logits(&values, &n, s.c)
		if status == C.LQ_OK {
			out = append(out, unsafe.Slice((*float32)(values), int(n))...)
		}
		return status
	})
	return out, err
}

// Rewind forgets all but the first n tokens.
func (s *Session) Rewind(n int) error {
	if n < 0 {
		return invalid("a length is not negative")
	}
	return s.do(func() C.lq_status { return C.lq_session_rewind(s.c, C.size_t(n)) })
}

// Len, Cap and Memory: tokens held, the most it can hold, bytes it takes now. 0 when it is closed.
func (s *Session) Len() int {
	var n C.size_t
	s.do(func() C.lq_status { return C.lq_session_length(&n, s.c) })
	return int(n)
}

func (s *Session) Cap() int {
	var n C.size_t
	s.do(func() C.lq_status { return C.lq_session_capacity(&n, s.c) })
	return int(n)
}

func (s *Session) Memory() uint64 {
	var n C.uint64_t
	s.do(func() C.lq_status { return C.lq_session_memory(&n, s.c) })
	return uint64(n)
}

// Tokens gives the tokens held.
func (s *Session) Tokens() ([]int32, error) {
	var out []int32
	err := s.do(func() C.lq_status {
		var n C.size_t
		if status := C.lq_session_tokens(nil, 0, &n, s.c); status != C.LQ_OK {
			return status
		}
		out = make([]int32, int(n))
		return C.lq_session_tokens(idPointer(out), n, &n, s.c)
	})
	return out, err
}

// ---- State -----------------------------------------------------------------------------------------------------------

// SaveFile writes tokens and cache to a file; an older one survives a failure.
func (s *Session) SaveFile(path string) error {
	name := C.CString(path)
	defer free(name)
	return s.do(func() C.lq_status { return C.lq_session_save_file(s.c, name) })
}

// LoadFile replaces the session's contents.
func (s *Session) LoadFile(path string) error {
	name := C.CString(path)
	defer free(name)
	return s.do(func() C.lq_status { return C.lq_session_load_file(s.c, name) })
}

// Save gives tokens and cache as bytes.
func (s *Session) Save() ([]byte, error) {
	var out []byte
	err := s.do(func() C.lq_status {
		var n C.size_t
		if status := C.lq_session_save(nil, 0, &n, s.c); status != C.LQ_OK {
			return status
		}
		out = make([]byte, int(n))
		return C.lq_session_save(unsafe.Pointer(unsafe.SliceData(out)), n, &n, s.c)
	})
	return out, err
}

// Load replaces the session's contents by what Save gave.
func (s *Session) Load(state []byte) error {
	return s.do(func() C.lq_status {
		return C.lq_session_load(s.c, unsafe.Pointer(unsafe.SliceData(state)), C.size_t(len(state)))
	})
}

// ---- Adapters --------------------------------------------------------------------------------------------------------

// Adapter is a LoRA adapter of a model.
type Adapter struct {
	c     *C.lq_adapter
	bytes *memory
	once  sync.Once
}

// LoadAdapter reads a GGUF file of the type "adapter", or a folder as PEFT saves it.
func (m *Model) LoadAdapter(path string) (*Adapter, error) {
	name := C.CString(path)
	defer free(name)
	a := &Adapter{}
	if err := call(func() C.lq_status { return C.lq_adapter_load(&a.c, m.c, name) }); err != nil {
		return nil, err
	}
	a.bytes = m.bytes.keep()
	runtime.KeepAlive(m)
	runtime.SetFinalizer(a, (*Adapter).Close)
	return a, nil
}

// Close frees it once no session uses it. The error is always nil.
func (a *Adapter) Close() error {
	a.once.Do(func() {
		C.lq_adapter_free(a.c)
		a.bytes.drop()
		runtime.SetFinalizer(a, nil)
	})
	return nil
}

// Scaled is an adapter and what it is multiplied by.
type Scaled struct {
	Adapter *Adapter
	Scale   float32
}

// SetAdapters makes the session compute with these adapters from now on, instead of those before.
func (s *Session) SetAdapters(adapters ...Scaled) error {
	list := make([]*C.lq_adapter, len(adapters)+1)
	scales := make([]C.float, len(adapters)+1)
	for i, a := range adapters {
		if a.Adapter == nil {
			return invalid("an adapter is nil")
		}
		list[i], scales[i] = a.Adapter.c, C.float(a.Scale)
	}
	defer runtime.KeepAlive(adapters)
	return s.do(func() C.lq_status {
		return C.lq_session_set_adapters(s.c, &list[0], &scales[0], C.size_t(len(adapters)))
	})
}
