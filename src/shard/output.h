// Output of connections that the sockets have not taken, and how many connections have some: a server that stops may
// not leave before that is none. The count is kept where output changes, so that no writer can forget it.
#pragma once

#include "base/check.h"
#include "net/buffers.h"

namespace stampede::shard {

// Of one shard: the memory of all its connections' buffers and the count.
class OutputBook {
 public:
  explicit OutputBook(net::BufferPool::Counts chunks_max) : buffers_(chunks_max) {}
  net::BufferPool& buffers() { return buffers_; }
  const net::BufferPool& buffers() const { return buffers_; }
  // Connections with unsent output.
  uint32_t unsent() const { return unsent_; }

 private:
  friend class Output;
  net::BufferPool buffers_;
  uint32_t unsent_ = 0;
};

// Of one connection; a net::OutputQueue that is counted. Whoever drops a connection clears it first.
class Output {
 public:
  bool empty() const { return queue_.empty(); }
  size_t bytes() const { return queue_.bytes(); }
  std::span<const char> front() const { return queue_.front(); }

  [[nodiscard]] bool append(OutputBook& book, std::span<const char> bytes) {
    const bool is_done = queue_.append(book.buffers_, bytes);
    recount(book);
    return is_done;
  }
  [[nodiscard]] std::span<char> room(OutputBook& book, size_t bytes) {
    return queue_.room(book.buffers_, bytes);
  }
  void extend(OutputBook& book, size_t bytes) {
    queue_.extend(bytes);
    recount(book);
  }
  void consume(OutputBook& book, size_t bytes) {
    queue_.consume(book.buffers_, bytes);
    recount(book);
  }
  void clear(OutputBook& book) {
    queue_.clear(book.buffers_);
    recount(book);
  }

 private:
  void recount(OutputBook& book) {
    if (is_counted_ != queue_.empty()) return;
    is_counted_ = !is_counted_;
    if (is_counted_) {
      ++book.unsent_;
    } else {
      CHECK(book.unsent_ > 0);
      --book.unsent_;
    }
  }

  net::OutputQueue queue_;
  bool is_counted_ = false;
};

}  // namespace stampede::shard
