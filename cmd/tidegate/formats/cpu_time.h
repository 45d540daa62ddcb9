// The CPU that was used, user + system.
#ifndef TIDEGATE_CMD_TIDEGATE_FORMATS_CPU_TIME_H_
#define TIDEGATE_CMD_TIDEGATE_FORMATS_CPU_TIME_H_

#include <ctime>

namespace tidegate {

// Of CLOCK_THREAD_CPUTIME_ID, this thread's; of CLOCK_PROCESS_CPUTIME_ID, that
// of all threads that the process has and had.
inline double CpuSeconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace tidegate

#endif  // TIDEGATE_CMD_TIDEGATE_FORMATS_CPU_TIME_H_
