"""The package as it is installed. VLMQ_TEST_ROOT: the checkout, for its models and pictures."""

import ctypes
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np
import vlmq
from vlmq import _library

ROOT = pathlib.Path(os.environ["VLMQ_TEST_ROOT"])
BUNDLE = ROOT / "datasets/captioner/bundle"
SCREENS = ROOT / "datasets/screens"
PICTURE = ROOT / "tests/face/data/screen.ppm"


def pixels() -> np.ndarray:
    data = PICTURE.read_bytes()
    width, height = map(int, data.split(b"\n", 2)[1].split())
    return np.frombuffer(data[-width * height * 3 :], np.uint8).reshape(height, width, 3)


class Interface(unittest.TestCase):
    """The ctypes side against the headers."""

    def test_every_public_function_is_declared(self) -> None:
        declared = set()
        for header in (ROOT / "include/vlmq").glob("*.h"):
            declared |= set(re.findall(r"^VLM_API [^(]*[ *](vlm_[a-z0-9_]+)\(", header.read_text(), re.M))
        self.assertEqual(declared, set(_library.FUNCTIONS))

    def test_structs_are_as_large_as_in_c(self) -> None:
        names = {
            "vlm_array": _library.Array,
            "vlm_engine_opts": _library.EngineOpts,
            "vlm_open_opts": _library.OpenOpts,
            "vlm_model_info": _library.ModelInfo,
            "vlm_memory_info": _library.MemoryInfo,
            "vlm_picture": _library.Picture,
            "vlm_port": _library.Port,
            "vlm_generate_opts": _library.GenerateOpts,
            "vlm_timing": _library.Timing,
            "vlm_finding": _library.Finding,
            "vlm_error": _library.Error,
        }
        lines = "".join(
            f'printf("%zu", sizeof({c}));' + "".join(f'printf(" %zu", offsetof({c}, {f[0]}));' for f in p._fields_) + "puts(\"\");"
            for c, p in names.items()
        )
        source = f"#include <stdio.h>\n#include <stddef.h>\n#include <vlmq/vlmq.h>\nint main(void) {{ {lines} return 0; }}\n"
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "sizes")
            command = ["cc", "-xc", "-", "-I", str(ROOT / "include"), "-o", program]
            subprocess.run(command, input=source, text=True, check=True)
            got = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
        for line, (name, struct) in zip(got, names.items(), strict=True):
            wanted = [ctypes.sizeof(struct), *(getattr(struct, f[0]).offset for f in struct._fields_)]
            self.assertEqual(list(map(int, line.split())), wanted, name)


class Answers(unittest.TestCase):
    """A pipeline: pictures and prompts in, text out."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.runner = vlmq.Runner(BUNDLE, threads=1)
        said = subprocess.run([vlmq.tools.program("vlm-run"), BUNDLE, cls.npy()], capture_output=True, text=True, check=True)
        cls.wanted = said.stdout.strip()

    @staticmethod
    def npy() -> str:
        path = os.path.join(tempfile.gettempdir(), f"vlmq-{os.getpid()}.npy")
        np.save(path, pixels())
        return path

    @classmethod
    def tearDownClass(cls) -> None:
        cls.runner.close()
        os.unlink(cls.npy())

    def test_caption_is_that_of_the_program(self) -> None:
        reply = self.runner.generate(pixels(), "<CAPTION>")
        self.assertEqual(reply.text, self.wanted)
        self.assertEqual(reply.finish, "end")
        self.assertEqual(reply.ids.dtype, np.int32)
        self.assertGreater(reply.timing["total_ms"], 0)
        self.assertEqual(reply.timing["steps"], len(reply.ids) - 2)  # the start, and the token that came first

    def test_rows_with_gaps_other_orders_and_views(self) -> None:
        plain = self.runner.prepare(pixels()).pixel_values
        height, width, _ = pixels().shape
        wide = np.zeros((height, width + 5, 3), np.uint8)
        wide[:, :width] = pixels()
        forms = {"RGB": wide[:, :width], "BGR": pixels()[:, :, ::-1]}
        forms["RGBA"] = np.dstack([pixels(), np.full((height, width), 7, np.uint8)])
        for order, form in forms.items():
            np.testing.assert_array_equal(self.runner.prepare(form, order).pixel_values, plain, order)
        grey = np.ascontiguousarray(pixels()[:, :, 0])
        np.testing.assert_array_equal(
            self.runner.prepare(grey).pixel_values, self.runner.prepare(np.dstack([grey] * 3)).pixel_values
        )

    def test_tokens_stream_and_stop(self) -> None:
        heard: list[str] = []
        reply = self.runner.generate(pixels(), on_token=lambda _id, text: heard.append(text))
        self.assertEqual("".join(heard).strip(), reply.text)
        stopped = self.runner.generate(pixels(), on_token=lambda *_: True)
        self.assertEqual((stopped.finish, len(stopped.ids)), ("cancelled", 2))  # the start, and the one heard
        self.assertEqual(self.runner.generate(pixels(), max_new_tokens=3).finish, "length")
        self.assertEqual(self.runner.generate(pixels(), deadline_ms=1e-6).finish, "deadline")

    def test_what_a_callback_raises_comes_out(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            self.runner.generate(pixels(), on_token=lambda *_: bool(1 // 0))

    def test_two_threads_with_an_engine_each(self) -> None:
        texts: list[str] = []

        def one() -> None:
            with vlmq.Runner(BUNDLE, threads=1) as runner:
                texts.append(runner.generate(pixels()).text)

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(texts, [self.wanted] * 2)

    def test_graph_of_a_pipeline(self) -> None:
        self.assertIn("vision", self.runner.graphs)
        self.assertTrue(self.runner.generates)
        port = self.runner.inputs("vision")[0]
        out = self.runner.run({port.name: self.runner.prepare(pixels()).pixel_values}, "vision")
        self.assertEqual(list(out), [each.name for each in self.runner.outputs("vision")])
        self.assertGreater(self.runner.memory["arena_bytes"], 0)

    def test_wrong_calls_say_what_is_wanted(self) -> None:
        cases = [
            (lambda: vlmq.Runner("/no/such.vlmq"), vlmq.InputError, "/no/such.vlmq"),
            (lambda: vlmq.Runner(b"not a model"), vlmq.VlmqError, "memory"),
            (lambda: vlmq.Engine(cpu="abacus"), vlmq.UsageError, "abacus"),
            (lambda: vlmq.Engine(threads=100000), vlmq.UsageError, "100000"),
            (lambda: self.runner.prepare(pixels().astype(float)), vlmq.InputError, "uint8"),
            (lambda: self.runner.prepare(pixels(), "CMYK"), vlmq.UsageError, "RGB"),
            (lambda: self.runner.prepare(pixels()[:, :, :2]), vlmq.InputError, "height, width, 3"),
            (lambda: self.runner.inputs("nothing"), vlmq.UsageError, "vision"),
            (lambda: self.runner.run({}, "vision"), vlmq.InputError, "pixel_values"),
            (lambda: self.runner.run({"nothing": np.zeros(1)}, "vision"), vlmq.InputError, "nothing"),
            (lambda: self.runner.run({"pixel_values": np.array(["a"])}, "vision"), vlmq.UnsupportedError, "float32"),
        ]
        for wrong, kind, says in cases:
            with self.assertRaises(kind) as caught:
                wrong()
            self.assertIn(says, str(caught.exception))

    def test_closed_handles_are_told(self) -> None:
        runner = vlmq.Runner(BUNDLE, threads=1)
        prepared = runner.prepare(pixels())
        runner.close()
        runner.close()
        for use in (lambda: runner.graphs, lambda: prepared.pixel_values, lambda: runner.generate(prepared)):
            with self.assertRaises(vlmq.UsageError):
                use()


class Chain(unittest.TestCase):
    """Calibrate, quantize, evaluate; frames."""

    def test_chain_and_frames(self) -> None:
        from vlmq import frames

        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            stats, packed, records = folder / "s.h5", folder / "m.vlmq", folder / "r.jsonl"
            vlmq.calibrate(BUNDLE, stats, images=SCREENS / "calibration", limit=4)
            plan = vlmq.quantize(BUNDLE, packed, calib=stats)
            self.assertIsInstance(plan, dict)
            found = vlmq.evaluate(
                BUNDLE, packed, images=SCREENS / "test", refs=SCREENS / "test.json", limit=4, records=records
            )
            self.assertEqual(found["images"], 4)
            self.assertEqual(len(frames.samples(stats)), 4)
            tensors = frames.tensors(stats)
            self.assertTrue((tensors.range_low <= tensors.range_high).all())
            rows = frames.records(records)
            self.assertEqual(list(rows.image), [f"test_{at:04}.png" for at in range(4)])
            self.assertEqual(vlmq.inspect(packed)["kind"], "packed")
            with vlmq.Runner(packed.read_bytes(), name="packed") as runner:
                self.assertGreater(len(runner.generate(pixels()).text), 10)
            refused = vlmq.evaluate(BUNDLE, packed, images=SCREENS / "test", limit=4, min_speedup=1000)
            self.assertEqual(refused["verdict"], "slower")

    def test_a_failing_program_raises_its_text(self) -> None:
        with self.assertRaises(vlmq.ToolError) as caught:
            vlmq.inspect("/no/such.vlmq")
        self.assertIn("/no/such.vlmq", str(caught.exception))
        self.assertEqual(caught.exception.exit_code, 2)

    def test_example(self) -> None:
        command = [sys.executable, ROOT / "python/examples/caption.py", BUNDLE, PICTURE]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        self.assertIn("end after", said.stderr)


class Tap(unittest.TestResult):
    """Results as TAP."""

    def __init__(self, total: int) -> None:
        super().__init__()
        print(f"1..{total}", flush=True)

    def _line(self, word: str, test: unittest.TestCase, more: str = "") -> None:
        print(f"{word} {self.testsRun} - {test.id().split('.', 1)[-1]}", flush=True)
        for line in more.splitlines()[-15:]:
            print("#", line)

    def addSuccess(self, test) -> None:
        self._line("ok", test)

    def addFailure(self, test, err) -> None:
        super().addFailure(test, err)
        self._line("not ok", test, self.failures[-1][1])

    def addError(self, test, err) -> None:
        super().addError(test, err)
        self._line("not ok", test, self.errors[-1][1])


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = Tap(suite.countTestCases())
    suite.run(result)
    sys.exit(not result.wasSuccessful())
