// The thread that an object belongs to, checked at the object's doors: data of a shard is used by its shard's thread and
// by nobody else, and that no lock is needed rests on it.
//
// Objects are made on the main thread and handed over: until bind() any thread may use them, one after the other, and
// from then on only the one that called it. A check is a load and a comparison with an address in the thread's own
// storage: no call, less than a nanosecond.
#pragma once

#include "base/check.h"

namespace stampede {

class ThreadOwner {
 public:
  // The calling thread is the owner from now on.
  void bind() {
    CHECK(owner_ == nullptr);
    owner_ = this_thread();
  }
  // The owner has ended: the thread that joined it may take the object apart.
  void release() { owner_ = nullptr; }
  [[nodiscard]] bool is_mine() const { return owner_ == nullptr || owner_ == this_thread(); }

 private:
  // A different address in every thread.
  static const void* this_thread() {
    static thread_local char mark;
    return &mark;
  }

  const void* owner_ = nullptr;
};

}  // namespace stampede
