; Names that compiled Rust calls and that the SVM offers under another name,
; and what the standard library's port asks of its host. Linked first.
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"

declare void @sol_memcmp_(ptr, ptr, i64, ptr)
declare void @sol_memcpy_(ptr, ptr, i64)
declare void @sol_memmove_(ptr, ptr, i64)
declare void @sol_memset_(ptr, i64, i64)
declare void @abort()

define i32 @memcmp(ptr %a, ptr %b, i64 %n) nounwind {
  %r = alloca i32, align 4
  store i32 0, ptr %r, align 4
  call void @sol_memcmp_(ptr %a, ptr %b, i64 %n, ptr %r)
  %v = load i32, ptr %r, align 4
  ret i32 %v
}
define i32 @bcmp(ptr %a, ptr %b, i64 %n) nounwind {
  %r = call i32 @memcmp(ptr %a, ptr %b, i64 %n)
  ret i32 %r
}
define ptr @memcpy(ptr %to, ptr %from, i64 %n) nounwind {
  call void @sol_memcpy_(ptr %to, ptr %from, i64 %n)
  ret ptr %to
}
define ptr @memmove(ptr %to, ptr %from, i64 %n) nounwind {
  call void @sol_memmove_(ptr %to, ptr %from, i64 %n)
  ret ptr %to
}
define ptr @memset(ptr %to, i32 %byte, i64 %n) nounwind {
  %b = and i32 %byte, 255
  %z = zext i32 %b to i64
  call void @sol_memset_(ptr %to, i64 %z, i64 %n)
  ret ptr %to
}

; A program has no standard streams, environment or arguments, and its heap is
; the allocator that it declares itself.
define void @sys_panic(ptr %text, i64 %n) noreturn nounwind {
  call void @abort()
  unreachable
}
define void @sys_halt() noreturn nounwind {
  call void @abort()
  unreachable
}
define void @sys_write(i32 %fd, ptr %bytes, i64 %n) nounwind {
  ret void
}
define i64 @sys_read(i32 %fd, ptr %bytes, i64 %n) nounwind {
  ret i64 0
}
define i64 @sys_getenv(ptr %to, i64 %words, ptr %name, i64 %n) nounwind {
  ret i64 -1
}
define i64 @sys_argc() nounwind {
  ret i64 0
}
define i64 @sys_argv(ptr %to, i64 %words, i64 %index) nounwind {
  ret i64 0
}
define ptr @sys_alloc_words(i64 %words) nounwind {
  ret ptr null
}
define ptr @sys_alloc_aligned(i64 %words, i64 %align) nounwind {
  ret ptr null
}
