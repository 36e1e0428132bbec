// A file that a flag asks for, written a line at a time. Errors name the flag and the file.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"

namespace stampede::cmd {

class OutputFile {
 public:
  explicit OutputFile(std::string flag) : flag_(std::move(flag)) {}

  // Without a path nothing is opened, and write() does nothing.
  Status open(const std::string& path) {
    path_ = path;
    if (path.empty()) return Ok{};
    file_.reset(std::fopen(path.c_str(), "we"));
    return file_ != nullptr ? Status(Ok{}) : failure();
  }
  [[nodiscard]] std::FILE* get() const { return file_.get(); }

  // The whole text at once, so that a program that reads along finds no half line.
  void write(const std::string& lines) {
    if (file_ == nullptr) return;
    std::fwrite(lines.data(), 1, lines.size(), file_.get());
    std::fflush(file_.get());
  }
  // Everything has been written, or an error.
  Status close() {
    if (file_ == nullptr) return Ok{};
    const bool was_written = std::ferror(file_.get()) == 0;
    return std::fclose(file_.release()) == 0 && was_written ? Status(Ok{}) : failure();
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  Status failure() const { return Error{flag_ + ": " + path_ + ": " + std::strerror(errno)}; }

  std::string flag_, path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace stampede::cmd
