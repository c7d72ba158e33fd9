// Package loquor runs language models inside your own program: a layer over the C interface (loquor.h), whose comments say
// more about what each call does and may go wrong.
//
//	model, err := loquor.Load(ctx, "smollm2", nil)
//	session, err := model.NewSession(nil)
//	for piece, err := range session.Stream(ctx, loquor.Text("The sky is"), nil) { ... }
//
// Models and contexts may be used by all goroutines. A session does one thing at a time: calls from several goroutines wait
// for each other, but for Cancel and Close, which do not wait. What is dropped is freed by the garbage collector, which does not know how
// large it is: Close it.
package loquor

/*
#cgo LDFLAGS: -lloquor
#include <loquor.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Version is that of the library that is running.
func Version() string { return C.GoString(C.lq_version()) }

// Code says what kind of thing went wrong. It is an error, so that errors.Is(err, loquor.NotFound) works.
type Code int

const (
	InvalidArgument Code = C.LQ_ERR_INVALID_ARGUMENT
	NotFound        Code = C.LQ_ERR_NOT_FOUND
	IO              Code = C.LQ_ERR_IO
	BadFile         Code = C.LQ_ERR_BAD_FILE
	Unsupported     Code = C.LQ_ERR_UNSUPPORTED
	OutOfMemory     Code = C.LQ_ERR_OUT_OF_MEMORY
	ContextFull     Code = C.LQ_ERR_CONTEXT_FULL
	Cancelled       Code = C.LQ_ERR_CANCELLED
	Limit           Code = C.LQ_ERR_LIMIT
	Mismatch        Code = C.LQ_ERR_MISMATCH
	TemplateError   Code = C.LQ_ERR_TEMPLATE
	Forked          Code = C.LQ_ERR_FORKED
	Internal        Code = C.LQ_ERR_INTERNAL
)

// Error is the name of the code: "not_found".
func (c Code) Error() string { return C.GoString(C.lq_status_name(C.lq_status(c))) }

// Error is what every call of this package returns when it fails.
type Error struct {
	Code    Code
	Message string
	cause   error
}

func (e *Error) Error() string { return "loquor: " + e.Code.Error() + ": " + e.Message }

// Is tells errors.Is that an Error is its code.
func (e *Error) Is(target error) bool { return target == error(e.Code) }

// Unwrap gives the cause of the context that cancelled the call, if one did.
func (e *Error) Unwrap() error { return e.cause }

func invalid(message string) error { return &Error{Code: InvalidArgument, Message: message} }

// call runs f and takes its error along: lq_last_error belongs to a thread, and a goroutine may change its own between calls.
func call(f func() C.lq_status) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if status := f(); status != C.LQ_OK {
		return &Error{Code: Code(status), Message: C.GoString(C.lq_last_error())}
	}
	return nil
}

func flag(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

// cstring is "" as NULL, and must be given to C.free.
func cstring(s string) *C.char {
	if s == "" {
		return nil
	}
	return C.CString(s)
}

func free(p *C.char) { C.free(unsafe.Pointer(p)) }

func idPointer(ids []int32) *C.int32_t {
	return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(ids)))
}

// bytesOf is the memory of a Go string, for the length of a call.
func bytesOf(s string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(s))) }

// text is what a buffer triple gives.
func text(fill func(out *C.char, capacity C.size_t, length *C.size_t) C.lq_status) ([]byte, error) {
	var n C.size_t
	if err := call(func() C.lq_status { return fill(nil, 0, &n) }); err != nil {
		return nil, err
	}
	out := make([]byte, int(n)+1)
	err := call(func() C.lq_status { return fill((*C.char)(unsafe.Pointer(&out[0])), n+1, &n) })
	if err != nil {
		return nil, err
	}
	return out[:n], nil
}

// ---- Contexts ------------------------------------------------------------------------------------------------------

// ContextOptions are the threads and the instruction set of a Context; the zero value is good.
type ContextOptions struct {
	Threads int    // computing threads; 0: the CPUs this process may use
	ISA     string // "avx2", "scalar", ...; "": the best of this CPU
	SpinUS  int    // how long an idle thread spins before it sleeps, in microseconds; 0: 50
}

// Context holds threads and memory for models.
type Context struct {
	c *C.lq_context
}

// NewContext makes a context. Options may be nil.
func NewContext(options *ContextOptions) (*Context, error) {
	if options == nil {
		options = &ContextOptions{}
	}
	if options.Threads < 0 || options.SpinUS < 0 {
		return nil, invalid("threads and microseconds are not negative")
	}
	isa := cstring(options.ISA)
	defer free(isa)
	o := C.lq_context_options{threads: C.uint32_t(options.Threads), spin_us: C.uint32_t(options.SpinUS), isa: isa}
	o.struct_size = C.uint32_t(unsafe.Sizeof(o))
	made := &Context{}
	if err := call(func() C.lq_status { return C.lq_context_create(&made.c, &o) }); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(made, (*Context).Close)
	return made, nil
}

// Threads is the number of computing threads.
func (c *Context) Threads() (int, error) {
	var n C.uint32_t
	err := call(func() C.lq_status { return C.lq_context_threads(&n, c.c) })
	runtime.KeepAlive(c)
	return int(n), err
}

// ISA is the instruction set in use.
func (c *Context) ISA() (string, error) {
	var name *C.char
	if err := call(func() C.lq_status { return C.lq_context_isa(&name, c.c) }); err != nil {
		return "", err
	}
	out := C.GoString(name)
	runtime.KeepAlive(c)
	return out, nil
}

// Close frees the context once its models are gone. A second call does nothing. The error is always nil.
func (c *Context) Close() error {
	C.lq_context_free(c.c) // a handle is a checked number: a second time is a no-op, a use afterwards an error
	runtime.SetFinalizer(c, nil)
	return nil
}

// ---- Cancelling ----------------------------------------------------------------------------------------------------

// watch lets a context.Context stop calls that were given its handle.
type watch struct {
	ctx    context.Context
	handle *C.lq_cancel
	stop   func() bool
}

func newWatch(ctx context.Context) (*watch, error) {
	if ctx == nil || ctx.Done() == nil {
		return nil, nil
	}
	w := &watch{ctx: ctx}
	if err := call(func() C.lq_status { return C.lq_cancel_create(&w.handle) }); err != nil {
		return nil, err
	}
	handle := w.handle
	if ctx.Err() != nil {
		C.lq_cancel_trigger(handle)
	}
	w.stop = context.AfterFunc(ctx, func() { C.lq_cancel_trigger(handle) })
	return w, nil
}

func (w *watch) cancel() *C.lq_cancel {
	if w == nil {
		return nil
	}
	return w.handle
}

// explain adds the context's cause to an error that came of it.
func (w *watch) explain(err error) error {
	var e *Error
	if w != nil && w.ctx.Err() != nil && errors.As(err, &e) && e.Code == Cancelled {
		e.cause = context.Cause(w.ctx)
	}
	return err
}

func (w *watch) end() {
	if w != nil {
		w.stop()
		C.lq_cancel_free(w.handle)
	}
}

// memory is a copy of a model's file, which all that is made of the model keeps alive.
type memory struct {
	data unsafe.Pointer
	refs atomic.Int64
}

func (m *memory) keep() *memory {
	if m != nil {
		m.refs.Add(1)
	}
	return m
}

func (m *memory) drop() {
	if m != nil && m.refs.Add(-1) == 0 {
		C.free(m.data)
	}
}
