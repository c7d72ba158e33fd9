"""OpenVINO GenAI's LLMPipeline on the GGUF file itself. It caches prefixes, so every prompt has to be a new one."""

import json


class OpenVino:
    def __init__(self, model, threads, config="{}"):
        import openvino_genai

        self.lib = openvino_genai
        properties = {"INFERENCE_NUM_THREADS": threads, **json.loads(config)}
        scheduler = properties.pop("scheduler", None)
        if scheduler is not None:
            properties["scheduler_config"] = openvino_genai.SchedulerConfig()
            for name, value in scheduler.items():
                setattr(properties["scheduler_config"], name, value)
        self.pipe = openvino_genai.LLMPipeline(model, "CPU", **properties)
        self.tokenizer = self.pipe.get_tokenizer()

    def version(self):
        return {"name": "OpenVINO GenAI", "version": self.lib.__version__, "build": ""}

    def text_prompt(self, text, n):
        ids = self.tokenizer.encode(text, add_special_tokens=False).input_ids
        g = self.lib.GenerationConfig()
        g.max_new_tokens, g.ignore_eos, g.do_sample, g.apply_chat_template = n, True, False, False
        metrics = self.pipe.generate([text], g).perf_metrics
        return {"first_ms": metrics.get_ttft().mean, "token_ms": metrics.get_tpot().mean, "prompt_tokens": int(ids.shape[1])}
