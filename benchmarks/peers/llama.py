"""llama.cpp through its Python binding, and the conversion of a checkpoint to its format."""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import gguf
import llama_cpp.llama_cpp as llama
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from benchmarks.peers import Setup, Side
from model import SamplingParams


class LlamaCpp:
    """One sequence and one sampler for each row, decoded side by side.

    Args:
        file: A GGUF.
        threads: For the matrix products.
        rows: How many rows at most.
        context: Tokens of a row at most.
    """

    def __init__(self, file: Path, *, threads: int, rows: int, context: int) -> None:
        llama.llama_backend_init()
        self._quiet = llama.llama_log_callback(lambda *_: None)
        llama.llama_log_set(self._quiet, ctypes.c_void_p(0))
        self._model = llama.llama_model_load_from_file(str(file).encode(), llama.llama_model_default_params())
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = rows * context, rows * context, 512, rows
        params.n_threads = params.n_threads_batch = threads
        self._context = llama.llama_init_from_model(self._model, params)
        self._vocab = llama.llama_model_get_vocab(self._model)
        self._batch = llama.llama_batch_init(rows * context, 0, 1)

    def __call__(self, prompts: Sequence[Sequence[int]], sampling: SamplingParams) -> None:
        """Write ``max_length`` tokens after each prompt."""
        llama.llama_memory_clear(llama.llama_get_memory(self._context), True)  # noqa: FBT003 - a C function
        samplers = [self._sampler(sampling, seed) for seed in range(len(prompts))]
        for sampler, prompt in zip(samplers, prompts, strict=True):
            for token in prompt:
                llama.llama_sampler_accept(sampler, token)
        new = [list(prompt) for prompt in prompts]
        position = 0
        for _ in range(sampling.max_length):
            last = self._decode(new, position)
            position += len(new[0])
            new = [
                [llama.llama_sampler_sample(sampler, self._context, place)]
                for sampler, place in zip(samplers, last, strict=True)
            ]
        for sampler in samplers:
            llama.llama_sampler_free(sampler)

    def _sampler(self, sampling: SamplingParams, seed: int) -> object:
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        size = llama.llama_vocab_n_tokens(self._vocab)
        for link in (
            llama.llama_sampler_init_penalties(size, -1, sampling.repetition_penalty, 0.0, 0.0),
            llama.llama_sampler_init_top_k(sampling.top_k),
            llama.llama_sampler_init_temp(sampling.temperature),
            llama.llama_sampler_init_top_p(sampling.top_p, 1),
            llama.llama_sampler_init_dist(seed),
        ):
            llama.llama_sampler_chain_add(chain, link)
        return chain

    def _decode(self, new: Sequence[Sequence[int]], position: int) -> list[int]:
        """Read the new tokens of each row; return where in the batch each row's last one is."""
        batch, last, place = self._batch, [], 0
        for row, tokens in enumerate(new):
            for offset, token in enumerate(tokens):
                batch.token[place], batch.pos[place] = token, position + offset
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, row
                batch.logits[place] = offset == len(tokens) - 1
                place += 1
            last.append(place - 1)
        batch.n_tokens = place
        if llama.llama_decode(self._context, batch):
            raise RuntimeError("llama.cpp did not decode")
        return last


def load(setup: Setup) -> Side:
    """Return llama.cpp with weights of 8 bits."""
    setup.work.mkdir(parents=True, exist_ok=True)
    whole, quantized = setup.work / "float16.gguf", setup.work / "q8_0.gguf"
    if not quantized.exists():
        write_gguf(setup.checkpoint, whole)
        params = llama.llama_model_quantize_default_params()
        params.ftype, params.nthread = llama.LLAMA_FTYPE_MOSTLY_Q8_0, setup.threads
        if llama.llama_model_quantize(str(whole).encode(), str(quantized).encode(), ctypes.byref(params)):
            raise RuntimeError("llama.cpp did not quantize")
    return LlamaCpp(quantized, threads=setup.threads, rows=setup.rows, context=setup.context)


def write_gguf(folder: Path, file: Path) -> None:
    """Write a GPT-2 or Llama of random weights as a GGUF of float16 without a vocabulary."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config, is_llama = model.config, model.config.model_type == "llama"
    writer = gguf.GGUFWriter(file, "llama" if is_llama else "gpt2")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size if is_llama else 4 * config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    if is_llama:
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    else:
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("no_vocab")
    kind_of_model = gguf.MODEL_ARCH.LLAMA if is_llama else gguf.MODEL_ARCH.GPT2
    _write_tensors(writer, model, gguf.get_tensor_name_map(kind_of_model, config.num_hidden_layers))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_tensors(writer: "gguf.GGUFWriter", model: PreTrainedModel, names: "gguf.TensorNameMap") -> None:
    # llama.cpp has the rows of a Llama's queries and keys in another order, which is all the same to random ones.
    for name, tensor in model.base_model.state_dict().items():
        stem, _, kind = name.rpartition(".")
        is_matrix = kind == "weight" and tensor.dim() == 2  # noqa: PLR2004 - rows and columns
        data = tensor.t() if is_matrix and ".c_" in name else tensor
        dtype = torch.float16 if is_matrix and stem != "wpe" else torch.float32
        target = names.get_name(f"{model.base_model_prefix}.{stem}") or names.get_name(stem)
        writer.add_tensor(f"{target}.{kind}", data.to(dtype).contiguous().numpy())
