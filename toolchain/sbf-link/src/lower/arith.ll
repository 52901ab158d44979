; Integer arithmetic that the BPF instruction set lacks, in operations it has.
;
; Linked after optimisation and then inlined. LLVM must not optimise these
; bodies on their own: it would recognise a wide multiplication and turn it
; back into the instruction that they replace.
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"

; Writes {quotient, remainder}, each low half first. In toolchain/runtime.
declare void @flagstone_udivrem128(ptr, i64, i64, i64, i64)

; 64 x 64 -> 128 by four 32-bit products.
define i128 @sbf.widemul(i64 %a, i64 %b) alwaysinline nounwind {
  %a0 = and i64 %a, 4294967295
  %a1 = lshr i64 %a, 32
  %b0 = and i64 %b, 4294967295
  %b1 = lshr i64 %b, 32
  %p00 = mul i64 %a0, %b0
  %p01 = mul i64 %a0, %b1
  %p10 = mul i64 %a1, %b0
  %p11 = mul i64 %a1, %b1
  %p00h = lshr i64 %p00, 32
  %m = add i64 %p10, %p00h
  %ml = and i64 %m, 4294967295
  %mh = lshr i64 %m, 32
  %m2 = add i64 %p01, %ml
  %m2h = lshr i64 %m2, 32
  %lo = mul i64 %a, %b
  %h1 = add i64 %p11, %mh
  %h2 = add i64 %h1, %m2h
  %lo_ = zext i64 %lo to i128
  %hi_ = zext i64 %h2 to i128
  %hs = shl i128 %hi_, 64
  %r = or i128 %hs, %lo_
  ret i128 %r
}

define i128 @sbf.mul(i128 %a, i128 %b) alwaysinline nounwind {
  %alo = trunc i128 %a to i64
  %ah_ = lshr i128 %a, 64
  %ahi = trunc i128 %ah_ to i64
  %blo = trunc i128 %b to i64
  %bh_ = lshr i128 %b, 64
  %bhi = trunc i128 %bh_ to i64
  %low = call i128 @sbf.widemul(i64 %alo, i64 %blo)
  %c1 = mul i64 %alo, %bhi
  %c2 = mul i64 %ahi, %blo
  %c = add i64 %c1, %c2
  %c_ = zext i64 %c to i128
  %cs = shl i128 %c_, 64
  %r = add i128 %low, %cs
  ret i128 %r
}

; A division costs one compute unit like any other instruction, so dividing
; back is the cheapest way to see that a 64-bit product overflowed.
define {i64, i1} @sbf.umulo.i64(i64 %a, i64 %b) alwaysinline nounwind {
  %r = mul i64 %a, %b
  %zero = icmp eq i64 %a, 0
  %d = select i1 %zero, i64 1, i64 %a
  %q = udiv i64 %r, %d
  %ne = icmp ne i64 %q, %b
  %nz = xor i1 %zero, true
  %o = and i1 %ne, %nz
  %s0 = insertvalue {i64, i1} poison, i64 %r, 0
  %s1 = insertvalue {i64, i1} %s0, i1 %o, 1
  ret {i64, i1} %s1
}

; Magnitudes are multiplied; the product fits unless its sign comes out wrong.
define {i64, i1} @sbf.smulo.i64(i64 %a, i64 %b) alwaysinline nounwind {
  %as = icmp slt i64 %a, 0
  %bs = icmp slt i64 %b, 0
  %an = sub i64 0, %a
  %bn = sub i64 0, %b
  %aa = select i1 %as, i64 %an, i64 %a
  %ba = select i1 %bs, i64 %bn, i64 %b
  %u = call {i64, i1} @sbf.umulo.i64(i64 %aa, i64 %ba)
  %uv = extractvalue {i64, i1} %u, 0
  %uo = extractvalue {i64, i1} %u, 1
  %neg = xor i1 %as, %bs
  %nv = sub i64 0, %uv
  %v = select i1 %neg, i64 %nv, i64 %uv
  %vs = icmp slt i64 %v, 0
  %vz = icmp ne i64 %v, 0
  %sd = xor i1 %vs, %neg
  %so = and i1 %sd, %vz
  %o = or i1 %uo, %so
  %s0 = insertvalue {i64, i1} poison, i64 %v, 0
  %s1 = insertvalue {i64, i1} %s0, i1 %o, 1
  ret {i64, i1} %s1
}

define {i128, i1} @sbf.umulo.i128(i128 %a, i128 %b) alwaysinline nounwind {
entry:
  %alo = trunc i128 %a to i64
  %ah_ = lshr i128 %a, 64
  %ahi = trunc i128 %ah_ to i64
  %blo = trunc i128 %b to i64
  %bh_ = lshr i128 %b, 64
  %bhi = trunc i128 %bh_ to i64
  %low = call i128 @sbf.widemul(i64 %alo, i64 %blo)
  %any = or i64 %ahi, %bhi
  %narrow = icmp eq i64 %any, 0
  br i1 %narrow, label %done, label %wide
wide:
  %an = icmp ne i64 %ahi, 0
  %bn = icmp ne i64 %bhi, 0
  %both = and i1 %an, %bn
  %x1 = call {i64, i1} @sbf.umulo.i64(i64 %ahi, i64 %blo)
  %x2 = call {i64, i1} @sbf.umulo.i64(i64 %bhi, i64 %alo)
  %x1v = extractvalue {i64, i1} %x1, 0
  %x1o = extractvalue {i64, i1} %x1, 1
  %x2v = extractvalue {i64, i1} %x2, 0
  %x2o = extractvalue {i64, i1} %x2, 1
  ; Unless both high halves are set, which overflows anyway, one product is zero.
  %cr = add i64 %x1v, %x2v
  %crz = zext i64 %cr to i128
  %crs = shl i128 %crz, 64
  %r = add i128 %low, %crs
  %co = icmp ult i128 %r, %low
  %o1 = or i1 %both, %x1o
  %o2 = or i1 %o1, %x2o
  %o3 = or i1 %o2, %co
  br label %done
done:
  %v = phi i128 [ %low, %entry ], [ %r, %wide ]
  %o = phi i1 [ false, %entry ], [ %o3, %wide ]
  %s0 = insertvalue {i128, i1} poison, i128 %v, 0
  %s1 = insertvalue {i128, i1} %s0, i1 %o, 1
  ret {i128, i1} %s1
}

define {i128, i1} @sbf.smulo.i128(i128 %a, i128 %b) alwaysinline nounwind {
  %as = icmp slt i128 %a, 0
  %bs = icmp slt i128 %b, 0
  %an = sub i128 0, %a
  %bn = sub i128 0, %b
  %aa = select i1 %as, i128 %an, i128 %a
  %ba = select i1 %bs, i128 %bn, i128 %b
  %u = call {i128, i1} @sbf.umulo.i128(i128 %aa, i128 %ba)
  %uv = extractvalue {i128, i1} %u, 0
  %uo = extractvalue {i128, i1} %u, 1
  %neg = xor i1 %as, %bs
  %nv = sub i128 0, %uv
  %v = select i1 %neg, i128 %nv, i128 %uv
  %vs = icmp slt i128 %v, 0
  %vz = icmp ne i128 %v, 0
  %sd = xor i1 %vs, %neg
  %so = and i1 %sd, %vz
  %o = or i1 %uo, %so
  %s0 = insertvalue {i128, i1} poison, i128 %v, 0
  %s1 = insertvalue {i128, i1} %s0, i1 %o, 1
  ret {i128, i1} %s1
}

define i64 @sbf.sdiv.i64(i64 %a, i64 %b) alwaysinline nounwind {
  %as = ashr i64 %a, 63
  %bs = ashr i64 %b, 63
  %ax = xor i64 %a, %as
  %bx = xor i64 %b, %bs
  %aa = sub i64 %ax, %as
  %ba = sub i64 %bx, %bs
  %q = udiv i64 %aa, %ba
  %s = xor i64 %as, %bs
  %qx = xor i64 %q, %s
  %r = sub i64 %qx, %s
  ret i64 %r
}

define i64 @sbf.srem.i64(i64 %a, i64 %b) alwaysinline nounwind {
  %as = ashr i64 %a, 63
  %bs = ashr i64 %b, 63
  %ax = xor i64 %a, %as
  %bx = xor i64 %b, %bs
  %aa = sub i64 %ax, %as
  %ba = sub i64 %bx, %bs
  %m = urem i64 %aa, %ba
  %mx = xor i64 %m, %as
  %r = sub i64 %mx, %as
  ret i64 %r
}

declare void @llvm.lifetime.start.p0(ptr)
declare void @llvm.lifetime.end.p0(ptr)

define i128 @sbf.udiv(i128 %a, i128 %b) alwaysinline nounwind {
  %out = alloca [4 x i64], align 8
  call void @llvm.lifetime.start.p0(ptr %out)
  %alo = trunc i128 %a to i64
  %ah_ = lshr i128 %a, 64
  %ahi = trunc i128 %ah_ to i64
  %blo = trunc i128 %b to i64
  %bh_ = lshr i128 %b, 64
  %bhi = trunc i128 %bh_ to i64
  call void @flagstone_udivrem128(ptr %out, i64 %alo, i64 %ahi, i64 %blo, i64 %bhi)
  %r = load i128, ptr %out, align 8
  call void @llvm.lifetime.end.p0(ptr %out)
  ret i128 %r
}

define i128 @sbf.urem(i128 %a, i128 %b) alwaysinline nounwind {
  %out = alloca [4 x i64], align 8
  call void @llvm.lifetime.start.p0(ptr %out)
  %alo = trunc i128 %a to i64
  %ah_ = lshr i128 %a, 64
  %ahi = trunc i128 %ah_ to i64
  %blo = trunc i128 %b to i64
  %bh_ = lshr i128 %b, 64
  %bhi = trunc i128 %bh_ to i64
  call void @flagstone_udivrem128(ptr %out, i64 %alo, i64 %ahi, i64 %blo, i64 %bhi)
  %q = getelementptr i64, ptr %out, i64 2
  %r = load i128, ptr %q, align 8
  call void @llvm.lifetime.end.p0(ptr %out)
  ret i128 %r
}

define i128 @sbf.sdiv(i128 %a, i128 %b) alwaysinline nounwind {
  %as = icmp slt i128 %a, 0
  %bs = icmp slt i128 %b, 0
  %an = sub i128 0, %a
  %bn = sub i128 0, %b
  %aa = select i1 %as, i128 %an, i128 %a
  %ba = select i1 %bs, i128 %bn, i128 %b
  %u = call i128 @sbf.udiv(i128 %aa, i128 %ba)
  %nu = sub i128 0, %u
  %neg = xor i1 %as, %bs
  %r = select i1 %neg, i128 %nu, i128 %u
  ret i128 %r
}

define i128 @sbf.srem(i128 %a, i128 %b) alwaysinline nounwind {
  %as = icmp slt i128 %a, 0
  %bs = icmp slt i128 %b, 0
  %an = sub i128 0, %a
  %bn = sub i128 0, %b
  %aa = select i1 %as, i128 %an, i128 %a
  %ba = select i1 %bs, i128 %bn, i128 %b
  %u = call i128 @sbf.urem(i128 %aa, i128 %ba)
  %nu = sub i128 0, %u
  %r = select i1 %as, i128 %nu, i128 %u
  ret i128 %r
}

; Shifts by a variable amount below 128. Bits cross the halves in two steps, by
; one and by 63 - s, because a shift by 64 - s is undefined where s is zero.
define i128 @sbf.shl(i128 %a, i128 %by) alwaysinline nounwind {
  %s = trunc i128 %by to i64
  %lo = trunc i128 %a to i64
  %h_ = lshr i128 %a, 64
  %hi = trunc i128 %h_ to i64
  %big = icmp uge i64 %s, 64
  %s6 = and i64 %s, 63
  %inv = xor i64 %s6, 63
  %l1 = lshr i64 %lo, 1
  %carry = lshr i64 %l1, %inv
  %hsm = shl i64 %hi, %s6
  %hs = or i64 %hsm, %carry
  %ls = shl i64 %lo, %s6
  %rhi = select i1 %big, i64 %ls, i64 %hs
  %rlo = select i1 %big, i64 0, i64 %ls
  %lo_ = zext i64 %rlo to i128
  %hi_ = zext i64 %rhi to i128
  %h = shl i128 %hi_, 64
  %r = or i128 %h, %lo_
  ret i128 %r
}

define i128 @sbf.lshr(i128 %a, i128 %by) alwaysinline nounwind {
  %s = trunc i128 %by to i64
  %lo = trunc i128 %a to i64
  %h_ = lshr i128 %a, 64
  %hi = trunc i128 %h_ to i64
  %big = icmp uge i64 %s, 64
  %s6 = and i64 %s, 63
  %inv = xor i64 %s6, 63
  %h1 = shl i64 %hi, 1
  %carry = shl i64 %h1, %inv
  %lsm = lshr i64 %lo, %s6
  %ls = or i64 %lsm, %carry
  %hs = lshr i64 %hi, %s6
  %rlo = select i1 %big, i64 %hs, i64 %ls
  %rhi = select i1 %big, i64 0, i64 %hs
  %lo_ = zext i64 %rlo to i128
  %hi_ = zext i64 %rhi to i128
  %h = shl i128 %hi_, 64
  %r = or i128 %h, %lo_
  ret i128 %r
}

define i128 @sbf.ashr(i128 %a, i128 %by) alwaysinline nounwind {
  %s = trunc i128 %by to i64
  %lo = trunc i128 %a to i64
  %h_ = lshr i128 %a, 64
  %hi = trunc i128 %h_ to i64
  %big = icmp uge i64 %s, 64
  %s6 = and i64 %s, 63
  %inv = xor i64 %s6, 63
  %h1 = shl i64 %hi, 1
  %carry = shl i64 %h1, %inv
  %lsm = lshr i64 %lo, %s6
  %ls = or i64 %lsm, %carry
  %hs = ashr i64 %hi, %s6
  %sg = ashr i64 %hi, 63
  %rlo = select i1 %big, i64 %hs, i64 %ls
  %rhi = select i1 %big, i64 %sg, i64 %hs
  %lo_ = zext i64 %rlo to i128
  %hi_ = zext i64 %rhi to i128
  %h = shl i128 %hi_, 64
  %r = or i128 %h, %lo_
  ret i128 %r
}

; 128 x 128 -> 256, which the standard library prints 128-bit numbers with. Too
; long to be inlined.
define i256 @sbf.widemul128(i128 %a, i128 %b) noinline nounwind {
  %alo = trunc i128 %a to i64
  %ah_ = lshr i128 %a, 64
  %ahi = trunc i128 %ah_ to i64
  %blo = trunc i128 %b to i64
  %bh_ = lshr i128 %b, 64
  %bhi = trunc i128 %bh_ to i64
  %p00 = call i128 @sbf.widemul(i64 %alo, i64 %blo)
  %p01 = call i128 @sbf.widemul(i64 %alo, i64 %bhi)
  %p10 = call i128 @sbf.widemul(i64 %ahi, i64 %blo)
  %p11 = call i128 @sbf.widemul(i64 %ahi, i64 %bhi)
  %p00h = lshr i128 %p00, 64
  %m = add i128 %p10, %p00h
  %ml = and i128 %m, 18446744073709551615
  %mh = lshr i128 %m, 64
  %m2 = add i128 %p01, %ml
  %m2h = lshr i128 %m2, 64
  %h1 = add i128 %p11, %mh
  %high = add i128 %h1, %m2h
  %m2s = shl i128 %m2, 64
  %p00l = and i128 %p00, 18446744073709551615
  %low = or i128 %m2s, %p00l
  %low_ = zext i128 %low to i256
  %high_ = zext i128 %high to i256
  %hs = shl i256 %high_, 128
  %r = or i256 %hs, %low_
  ret i256 %r
}

define i256 @sbf.mul256(i256 %a, i256 %b) alwaysinline nounwind {
  %alo = trunc i256 %a to i128
  %ah_ = lshr i256 %a, 128
  %ahi = trunc i256 %ah_ to i128
  %blo = trunc i256 %b to i128
  %bh_ = lshr i256 %b, 128
  %bhi = trunc i256 %bh_ to i128
  %low = call i256 @sbf.widemul128(i128 %alo, i128 %blo)
  %c1 = call i128 @sbf.mul(i128 %alo, i128 %bhi)
  %c2 = call i128 @sbf.mul(i128 %ahi, i128 %blo)
  %c = add i128 %c1, %c2
  %c_ = zext i128 %c to i256
  %cs = shl i256 %c_, 128
  %r = add i256 %low, %cs
  ret i256 %r
}
