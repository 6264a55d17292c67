// The same in C++: says what is on a picture, token by token.   caption MODEL.vlmq PICTURE.ppm [PROMPT]
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <vector>
#include <vlmq/vlmq.h>

template <class T, void (*F)(T *)> struct Freed {
  void operator()(T *handle) const { F(handle); }
};
using Runner = std::unique_ptr<vlm_runner, Freed<vlm_runner, vlm_runner_free>>;
using Prepared = std::unique_ptr<vlm_prepared, Freed<vlm_prepared, vlm_prepared_free>>;
using Reply = std::unique_ptr<vlm_reply, Freed<vlm_reply, vlm_reply_free>>;

// Makes a handle through a function that takes its address first and an error last.
template <class Handle, class F, class... Args> Handle make(F function, Args... args) {
  vlm_error error;
  typename Handle::pointer handle = nullptr;
  if (function(&handle, args..., &error) != VLM_OK) throw std::runtime_error(error.text);
  return Handle(handle);
}

static std::vector<char> read_ppm(vlm_picture &picture, const char *path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int levels = 0;
  file >> magic >> picture.width >> picture.height >> levels;
  if (!file || magic != "P6" || levels != 255 || picture.width < 1 || picture.height < 1)
    throw std::runtime_error("no binary PPM");
  std::vector<char> pixels(std::size_t(picture.width) * std::size_t(picture.height) * 3);
  file.get();
  file.read(pixels.data(), std::streamsize(pixels.size()));
  if (!file) throw std::runtime_error("the PPM is cut off");
  picture.data = pixels.data();
  picture.bytes = pixels.size();
  return pixels;
}

int main(int argc, char **argv) try {
  if (argc < 3) throw std::runtime_error("usage: caption MODEL.vlmq PICTURE.ppm [PROMPT]");
  vlm_picture picture = vlm_picture_init();
  const std::vector<char> pixels = read_ppm(picture, argv[2]);
  vlm_generate_opts opts = vlm_generate_opts_init();
  opts.on_token = [](void *, int32_t, const char *text, std::size_t) {
    return std::cout << text << std::flush ? 0 : 1;
  };
  const auto runner = make<Runner>(vlm_runner_open, argv[1], nullptr);
  const auto prepared = make<Prepared>(vlm_runner_prepare, runner.get(), &picture);
  const char *prompt = argc > 3 ? argv[3] : nullptr;
  const auto reply = make<Reply>(vlm_runner_generate, runner.get(), prepared.get(), prompt, &opts);
  std::cout << '\n';
  return 0;
} catch (const std::exception &problem) {
  std::cerr << "caption: " << problem.what() << '\n';
  return 2;
}
