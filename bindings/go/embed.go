package loquor

/*
#include <loquor.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"runtime"
	"sync"
	"unsafe"
)

// EmbedderOptions: the zero value is as the model says.
type EmbedderOptions struct {
	MaxTokens   int    // longer texts are cut
	BatchTokens int    // about how many tokens are computed at once; 0: 1024
	Raw         bool   // vectors as they come, not of length 1
	Pooling     string // "mean", "cls", "last"
}

// Embedder makes vectors of texts with a text encoder. Calls from several goroutines wait for each other.
type Embedder struct {
	c         *C.lq_embedder
	bytes     *memory
	once      sync.Once
	mutex     sync.Mutex
	dimension int
}

// NewEmbedder makes an embedder of the model. Options may be nil.
func (m *Model) NewEmbedder(options *EmbedderOptions) (*Embedder, error) {
	if options == nil {
		options = &EmbedderOptions{}
	}
	if options.MaxTokens < 0 || options.BatchTokens < 0 {
		return nil, invalid("numbers of tokens are not negative")
	}
	pooling := cstring(options.Pooling)
	defer free(pooling)
	o := C.lq_embedder_options{max_tokens: C.uint32_t(options.MaxTokens), batch_tokens: C.uint32_t(options.BatchTokens),
		raw: flag(options.Raw), pooling: pooling}
	o.struct_size = C.uint32_t(unsafe.Sizeof(o))
	e := &Embedder{}
	err := call(func() C.lq_status { return C.lq_embedder_create(&e.c, m.c, &o) })
	if err != nil {
		return nil, err
	}
	e.bytes = m.bytes.keep()
	runtime.KeepAlive(m)
	runtime.SetFinalizer(e, (*Embedder).Close)
	var dimension C.uint32_t
	err = call(func() C.lq_status { return C.lq_embedder_dimension(&dimension, e.c) })
	e.dimension = int(dimension)
	return e, err
}

// Dimension is how long the vectors are.
func (e *Embedder) Dimension() int { return e.dimension }

// Embed gives a vector for each text. Ending ctx stops it between batches.
func (e *Embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	defer runtime.KeepAlive(e)
	if len(texts) == 0 {
		return nil, nil
	}
	w, err := newWatch(ctx)
	if err != nil {
		return nil, err
	}
	defer w.end()
	list := make([]*C.char, len(texts))
	lengths := make([]C.size_t, len(texts))
	for i, t := range texts {
		list[i], lengths[i] = C.CString(t), C.size_t(len(t))
	}
	defer func() {
		for _, p := range list {
			free(p)
		}
	}()
	all := make([]float32, len(texts)*e.dimension)
	err = call(func() C.lq_status {
		return C.lq_embedder_embed((*C.float)(unsafe.SliceData(all)), C.size_t(len(all)), nil, e.c, &list[0], &lengths[0],
			C.size_t(len(texts)), w.cancel())
	})
	if err != nil {
		return nil, w.explain(err)
	}
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = all[i*e.dimension : (i+1)*e.dimension : (i+1)*e.dimension]
	}
	return out, nil
}

// Close frees it. A second call does nothing. The error is always nil.
func (e *Embedder) Close() error {
	e.once.Do(func() {
		C.lq_embedder_free(e.c)
		e.bytes.drop()
		runtime.SetFinalizer(e, nil)
	})
	return nil
}
