// Loquor for C++17 and later: a header-only RAII layer over loquor.h, in namespace `loquor`. It needs nothing but the C
// headers beside it and libloquor, so it works across compilers and library versions as the C interface does.
//
//     loquor::Model model("smollm2");
//     loquor::Session session(model);
//     for (const loquor::Event& e : session.stream_chat({{"user", "Why is the sky blue?"}}))
//       std::cout << e.text() << std::flush;
//
// Errors are thrown as loquor::Error with the C status and message. Objects are move-only owners of one handle; what
// the C headers say about threads, units and ownership holds here. An exception thrown by a callback (progress, token,
// sampler stage) stops the call and comes out of it; log and allocator callbacks must not throw.
#ifndef LOQUOR_HPP
#define LOQUOR_HPP

#include "loquor.h"
#include "lq_adapter.hpp"
#include "lq_attention.hpp"
#include "lq_base.hpp"
#include "lq_embed.hpp"
#include "lq_eval.hpp"
#include "lq_generate.hpp"
#include "lq_grammar.hpp"
#include "lq_model.hpp"
#include "lq_prefix.hpp"
#include "lq_prompt.hpp"
#include "lq_rag.hpp"
#include "lq_train.hpp"
#include "lq_tune.hpp"

#endif
