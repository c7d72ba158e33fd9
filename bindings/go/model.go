package loquor

/*
#include <loquor.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"sync"
	"unsafe"
)

// LoadOptions say how a model is loaded; the zero value is good.
type LoadOptions struct {
	Context     *Context // where to; nil: a context of its own
	Threads     int      // of a context of its own; 0: the CPUs this process may use
	F32         bool     // compute with the weights expanded to float32: the reference path
	VocabOnly   bool     // vocabulary and metadata only
	PrivateCopy bool     // read the file into memory instead of mapping it
	MemoryCap   uint64   // bytes that weights and tables may take; 0: no cap
}

// Model holds weights and vocabulary. It never changes: share it between all sessions and goroutines.
type Model struct {
	c     *C.lq_model
	bytes *memory
	once  sync.Once
}

// Load loads a model by its short name ("smollm2"), the path of a GGUF file or of a Hugging Face folder. Options may be nil.
// Ending ctx stops it within 20 ms.
func Load(ctx context.Context, source string, options *LoadOptions) (*Model, error) {
	name := C.CString(source)
	defer free(name)
	return load(ctx, options, nil, func(out **C.lq_model, c *C.lq_context, o *C.lq_model_options) C.lq_status {
		return C.lq_model_load(out, c, name, o)
	})
}

// LoadBytes loads a model from the bytes of a GGUF file, which are copied.
func LoadBytes(ctx context.Context, data []byte, options *LoadOptions) (*Model, error) {
	bytes := &memory{data: C.CBytes(data)}
	bytes.keep()
	model, err := load(ctx, options, bytes, func(out **C.lq_model, c *C.lq_context, o *C.lq_model_options) C.lq_status {
		return C.lq_model_load_memory(out, c, bytes.data, C.size_t(len(data)), o)
	})
	if err != nil {
		bytes.drop()
	}
	return model, err
}

func load(ctx context.Context, options *LoadOptions, bytes *memory,
	from func(**C.lq_model, *C.lq_context, *C.lq_model_options) C.lq_status) (*Model, error) {
	if options == nil {
		options = &LoadOptions{}
	}
	home := options.Context
	if home == nil {
		own, err := NewContext(&ContextOptions{Threads: options.Threads})
		if err != nil {
			return nil, err
		}
		defer own.Close() // the model keeps it
		home = own
	}
	w, err := newWatch(ctx)
	if err != nil {
		return nil, err
	}
	defer w.end()
	o := C.lq_model_options{vocab_only: flag(options.VocabOnly), private_copy: flag(options.PrivateCopy),
		compute: flag(options.F32), memory_cap: C.uint64_t(options.MemoryCap), cancel: w.cancel()}
	o.struct_size = C.uint32_t(unsafe.Sizeof(o))
	var c *C.lq_model
	err = call(func() C.lq_status { return from(&c, home.c, &o) })
	runtime.KeepAlive(home)
	if err != nil {
		return nil, w.explain(err)
	}
	model := &Model{c: c, bytes: bytes}
	runtime.SetFinalizer(model, (*Model).Close)
	return model, nil
}

// Close frees the model once its sessions are gone, which keep working. The error is always nil.
func (m *Model) Close() error {
	m.once.Do(func() {
		C.lq_model_free(m.c)
		m.bytes.drop()
		runtime.SetFinalizer(m, nil)
	})
	return nil
}

// Info is what is known about a model. Bytes of cache and workspace are those of one session of the context size the model was
// trained with.
type Info struct {
	Architecture, Name                       string
	HasChatTemplate                          bool
	VocabSize, Layers, Width, Heads, KVHeads int
	HeadDim, FFWidth, TrainedContext         int
	Parameters, FileBytes                    uint64
	WeightBytes, KVBytes, WorkspaceBytes     uint64
}

// Info describes the model.
func (m *Model) Info() (Info, error) {
	var i C.lq_model_info
	i.struct_size = C.uint32_t(unsafe.Sizeof(i))
	err := call(func() C.lq_status { return C.lq_model_get_info(&i, m.c, nil) })
	runtime.KeepAlive(m)
	if err != nil {
		return Info{}, err
	}
	return Info{Architecture: C.GoString(&i.architecture[0]), Name: C.GoString(&i.name[0]),
		HasChatTemplate: i.has_chat_template != 0, VocabSize: int(i.n_vocab), Layers: int(i.n_layer),
		Width: int(i.d_model), Heads: int(i.n_head), KVHeads: int(i.n_kv_head), HeadDim: int(i.head_dim),
		FFWidth: int(i.d_ff), TrainedContext: int(i.n_ctx_train), Parameters: uint64(i.n_params),
		FileBytes: uint64(i.file_bytes), WeightBytes: uint64(i.weight_bytes), KVBytes: uint64(i.kv_bytes),
		WorkspaceBytes: uint64(i.workspace_bytes)}, nil
}

// ---- Tokens --------------------------------------------------------------------------------------------------------

// TokenizeOptions: the zero value takes the text as plain text, whatever it holds.
type TokenizeOptions struct {
	AddSpecial   bool // add the begin (and end) tokens that the model wants
	ParseSpecial bool // "<|im_end|>" in the text becomes that control token
}

// Tokenize gives the tokens of a text, any bytes.
func (m *Model) Tokenize(s string, options TokenizeOptions) ([]int32, error) {
	defer runtime.KeepAlive(m)
	o := C.lq_tokenize_options{add_special: flag(options.AddSpecial), parse_special: flag(options.ParseSpecial)}
	o.struct_size = C.uint32_t(unsafe.Sizeof(o))
	// A token has at least a byte, but for those that are added around the text: one call does, mostly.
	ids := make([]int32, len(s)+8)
	var n C.size_t
	fill := func() C.lq_status {
		return C.lq_tokenize(idPointer(ids), C.size_t(len(ids)), &n, m.c, bytesOf(s), C.size_t(len(s)), &o)
	}
	err := call(fill)
	if e, ok := err.(*Error); ok && e.Code == C.LQ_ERR_BUFFER_TOO_SMALL {
		ids = make([]int32, int(n))
		err = call(fill)
	}
	if err != nil {
		return nil, err
	}
	return ids[:n], nil
}

// Detokenize gives the text of tokens. Control tokens are left out unless renderSpecial. It may end within a character.
func (m *Model) Detokenize(ids []int32, renderSpecial bool) (string, error) {
	defer runtime.KeepAlive(m)
	o := C.lq_detokenize_options{render_special: flag(renderSpecial)}
	o.struct_size = C.uint32_t(unsafe.Sizeof(o))
	out, err := text(func(out *C.char, capacity C.size_t, n *C.size_t) C.lq_status {
		return C.lq_detokenize(out, capacity, n, m.c, idPointer(ids), C.size_t(len(ids)), &o)
	})
	return string(out), err
}

// Special gives the token of a role ("bos", "eos", "eot", "unk", "pad"); -1 if the model has none.
func (m *Model) Special(role string) (int32, error) {
	defer runtime.KeepAlive(m)
	name := C.CString(role)
	defer free(name)
	var id C.int32_t
	err := call(func() C.lq_status { return C.lq_token_special(&id, m.c, name) })
	return int32(id), err
}

// ---- Conversations -------------------------------------------------------------------------------------------------

// Message is one of a conversation. Extra may be a JSON object of what the chat template sees besides: tool_calls, name, ...
type Message struct {
	Role, Content string
	Extra         json.RawMessage
}

// cmessages holds messages in C's memory.
type cmessages struct {
	list *C.lq_message
	n    int
	chat C.lq_chat_options
}

func newMessages(messages []Message, tools json.RawMessage) *cmessages {
	size := unsafe.Sizeof(C.lq_message{})
	m := &cmessages{n: len(messages)}
	m.list = (*C.lq_message)(C.calloc(C.size_t(len(messages)+1), C.size_t(size)))
	for i, e := range unsafe.Slice(m.list, len(messages)) {
		e.struct_size = C.uint32_t(size)
		e.role = C.CString(messages[i].Role)
		e.content, e.content_length = C.CString(messages[i].Content), C.size_t(len(messages[i].Content))
		e.extra_json, e.extra_json_length = cstring(string(messages[i].Extra)), C.size_t(len(messages[i].Extra))
		unsafe.Slice(m.list, len(messages))[i] = e
	}
	m.chat.struct_size = C.uint32_t(unsafe.Sizeof(m.chat))
	m.chat.tools_json, m.chat.tools_json_length = cstring(string(tools)), C.size_t(len(tools))
	return m
}

func (m *cmessages) free() {
	for _, e := range unsafe.Slice(m.list, m.n) {
		free(e.role)
		free(e.content)
		free(e.extra_json)
	}
	free(m.chat.tools_json)
	C.free(unsafe.Pointer(m.list))
}

// RenderOptions: the zero value renders with the model's own template.
type RenderOptions struct {
	Template string          // a Jinja template; "": the model's own
	Tools    json.RawMessage // a JSON array of tools
}

// Render gives the prompt that the chat template makes of messages.
func (m *Model) Render(messages []Message, options RenderOptions) (string, error) {
	defer runtime.KeepAlive(m)
	source := cstring(options.Template)
	defer free(source)
	list := newMessages(messages, options.Tools)
	defer list.free()
	var compiled *C.lq_chat_template
	err := call(func() C.lq_status {
		return C.lq_chat_template_create(&compiled, m.c, source, C.size_t(len(options.Template)))
	})
	if err != nil {
		return "", err
	}
	defer C.lq_chat_template_free(compiled)
	out, err := text(func(out *C.char, capacity C.size_t, n *C.size_t) C.lq_status {
		return C.lq_chat_render(out, capacity, n, compiled, list.list, C.size_t(list.n), &list.chat)
	})
	return string(out), err
}
