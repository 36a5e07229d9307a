/*
 * LD_PRELOAD shim that writes the log which `vfio-cosim replay` takes: a JSON object a line for
 * each interrupt ioctl that a VMM makes on a vfio device, and for what it does with eventfds.
 *
 *   gcc -shared -fPIC -O2 -o vfio-log.so vfio-log.c
 *   VFIO_LOG=vmm.log.jsonl LD_PRELOAD=./vfio-log.so qemu-system-x86_64 ...
 *
 * Devices come from VFIO_GROUP_GET_DEVICE_FD, whose argument names them. Layouts are those of
 * linux/vfio.h and linux/kvm.h, spelled out so that no kernel headers are needed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VFIO_GROUP_GET_DEVICE_FD 0x3b6aUL
#define VFIO_DEVICE_GET_IRQ_INFO 0x3b6dUL
#define VFIO_DEVICE_SET_IRQS 0x3b6eUL
#define VFIO_DEVICE_RESET 0x3b6fUL
#define KVM_IRQFD 0x4020ae76UL

#define FDS 65536
#define DATA_BOOL 2
#define DATA_EVENTFD 4
#define HEADER_BYTES 20

struct irq_set { uint32_t argsz, flags, index, start, count; };
struct irq_info { uint32_t argsz, flags, index, count; };
struct irqfd { uint32_t fd, gsi, flags, resamplefd; };

static char names[FDS][64]; /* of vfio devices, by descriptor */
static char eventfds[FDS];
static FILE *out;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *device(int fd) {
  return fd >= 0 && fd < FDS && names[fd][0] ? names[fd] : NULL;
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("VFIO_LOG");
  out = fopen(path ? path : "vfio.log.jsonl", "we");
}

/* One line; `t` is when the call was made, and it is written when it has returned. */
__attribute__((format(printf, 2, 3))) static void line(long long t, const char *format, ...) {
  if (!out) return;
  va_list list;
  va_start(list, format);
  fprintf(out, "{\"t\":%lld,", t);
  vfprintf(out, format, list);
  fputs("}\n", out);
  fflush(out);
  va_end(list);
}

/* Where an argument ends is said by argsz: more than that must not be read. */
static void set_irqs(long long t, const char *name, const struct irq_set *set, int ret, int error) {
  uint32_t bytes = set->argsz > HEADER_BYTES ? set->argsz - HEADER_BYTES : 0;
  int is_fds = (set->flags & 7) == DATA_EVENTFD, is_bools = (set->flags & 7) == DATA_BOOL;
  uint32_t unit = is_fds ? 4 : 1, listed = is_fds || is_bools ? bytes / unit : 0;
  if (listed > set->count) listed = set->count;
  if (listed > 2048) listed = 2048;
  const char *data = (const char *)(set + 1), *mark = "";
  char list[2048 * 12 + 1] = "", *end = list;
  for (uint32_t i = 0; i < listed; i++, mark = ",") {
    int32_t fd;
    if (is_fds) memcpy(&fd, data + 4 * i, 4);
    end += sprintf(end, "%s%d", mark, is_fds ? fd : data[i] != 0);
  }
  line(t, "\"device\":\"%s\",\"index\":%u,\"start\":%u,\"count\":%u,\"flags\":%u,\"argsz\":%u,"
          "\"%s\":[%s],\"ret\":%d,\"errno\":%d",
       name, set->index, set->start, set->count, set->flags, set->argsz,
       is_bools ? "bools" : "fds", list, ret, ret < 0 ? error : 0);
}

static void device_call(long long t, int fd, unsigned long cmd, void *arg, int ret, int error) {
  const char *name = device(fd);
  error = ret < 0 ? error : 0;
  if (cmd == VFIO_DEVICE_SET_IRQS) {
    set_irqs(t, name, arg, ret, error);
  } else if (cmd == VFIO_DEVICE_RESET) {
    line(t, "\"op\":\"reset\",\"device\":\"%s\",\"ret\":%d,\"errno\":%d", name, ret, error);
  } else if (cmd == VFIO_DEVICE_GET_IRQ_INFO) {
    const struct irq_info *info = arg;
    const char *answer = ret < 0 ? "" : ",\"count\":%u,\"iflags\":%u";
    char text[64];
    snprintf(text, sizeof text, answer, info->count, info->flags);
    line(t, "\"op\":\"get_irq_info\",\"device\":\"%s\",\"index\":%u%s,\"ret\":%d,\"errno\":%d",
         name, info->index, text, ret, error);
  }
}

static void other_call(long long t, unsigned long cmd, void *arg, int ret, int error) {
  error = ret < 0 ? error : 0;
  if (cmd == VFIO_GROUP_GET_DEVICE_FD) {
    if (ret >= 0 && ret < FDS) snprintf(names[ret], sizeof names[ret], "%s", (const char *)arg);
    line(t, "\"op\":\"open\",\"device\":\"%s\",\"ret\":%d,\"errno\":%d", (const char *)arg, ret,
         error);
  } else if (cmd == KVM_IRQFD) {
    const struct irqfd *irqfd = arg;
    char resample[32] = "";
    if (irqfd->flags & 2) sprintf(resample, ",\"resample\":%d", (int)irqfd->resamplefd);
    line(t, "\"op\":\"irqfd\",\"act\":\"%s\",\"fd\":%d,\"gsi\":%u%s,\"ret\":%d,\"errno\":%d",
         irqfd->flags & 1 ? "deassign" : "assign", (int)irqfd->fd, irqfd->gsi, resample, ret,
         error);
  }
}

int ioctl(int fd, unsigned long cmd, ...) {
  static int (*real)(int, unsigned long, ...);
  if (!real) real = dlsym(RTLD_NEXT, "ioctl");
  va_list list;
  va_start(list, cmd);
  void *arg = va_arg(list, void *);
  va_end(list);
  long long t = now();
  int ret = real(fd, cmd, arg), error = errno;
  pthread_mutex_lock(&lock);
  if (device(fd)) device_call(t, fd, cmd, arg, ret, error);
  else other_call(t, cmd, arg, ret, error);
  pthread_mutex_unlock(&lock);
  errno = error;
  return ret;
}

int eventfd(unsigned int count, int flags) {
  static int (*real)(unsigned int, int);
  if (!real) real = dlsym(RTLD_NEXT, "eventfd");
  long long t = now();
  int fd = real(count, flags), error = errno;
  if (fd >= 0 && fd < FDS) {
    pthread_mutex_lock(&lock);
    eventfds[fd] = 1;
    line(t, "\"op\":\"eventfd\",\"fd\":%d", fd);
    pthread_mutex_unlock(&lock);
  }
  errno = error;
  return fd;
}

/* Before the call: afterwards another thread may have been given the number. */
int close(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "close");
  pthread_mutex_lock(&lock);
  int is_eventfd = fd >= 0 && fd < FDS && eventfds[fd];
  if (device(fd)) line(now(), "\"op\":\"close\",\"device\":\"%s\",\"ret\":0", device(fd));
  else if (is_eventfd) line(now(), "\"op\":\"eventfd_close\",\"fd\":%d", fd);
  if (fd >= 0 && fd < FDS) names[fd][0] = eventfds[fd] = 0;
  pthread_mutex_unlock(&lock);
  return real(fd);
}
