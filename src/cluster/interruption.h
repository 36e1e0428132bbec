// Ends the waits of a thread from another one: a stop need not sit out the time that a silent server is given. Once, and for
// good.
#pragma once

namespace stampede::cluster {

class Interruption {
 public:
  Interruption();  // fatal without a descriptor: made once per owner at start
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // Any thread.
  void interrupt();
  [[nodiscard]] bool has_come() const;
  // To be polled beside what is waited for; readable once it is interrupted.
  [[nodiscard]] int descriptor() const { return eventfd_; }

 private:
  int eventfd_;
};

}  // namespace stampede::cluster
