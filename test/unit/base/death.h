// How a process ends that breaks a rule: runs an action in a child and tells its end and its last
// words.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

namespace stampede {

struct Death {
  int signal = 0;      // 0: it left by itself
  int exit_code = -1;  // -1: a signal ended it
  std::string words;   // on stderr
};

constexpr int kSurvived = 99;  // exit code of a child whose action came back

template <typename Action>
Death death_of(Action action) {
  Death death;
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return death;
  fflush(stdout);  // or the child would say it, too
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);  // doctest catches it
    dup2(pipe_ends[1], STDERR_FILENO);
    close(pipe_ends[0]);
    action();
    _exit(kSurvived);
  }
  close(pipe_ends[1]);
  char bytes[512];
  for (ssize_t got; (got = read(pipe_ends[0], bytes, sizeof bytes)) > 0;)
    death.words.append(bytes, got);
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) death.signal = WTERMSIG(status);
  if (WIFEXITED(status)) death.exit_code = WEXITSTATUS(status);
  return death;
}

}  // namespace stampede
