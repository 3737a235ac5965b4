// The operators of kernel IR in LLVM IR. Whatever would trap or call a library is spelled out.

#include <llvm/IR/Intrinsics.h>

#include <cmath>
#include <limits>

#include "codegen/cpu/emitter_state.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

using kernel::Op;

llvm::Type* like(llvm::Type* element, llvm::Value* shape) {
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(shape->getType())) return llvm::FixedVectorType::get(element, vector->getNumElements());
  return element;
}

bool is_signed(DType dtype) { return is_signed_integer(dtype); }

llvm::Value* intrinsic(llvm::IRBuilder<>& ir, llvm::Intrinsic::ID id, llvm::Value* a) { return ir.CreateUnaryIntrinsic(id, a); }

/// Integer division towards zero: x / 0 = 0, and INT_MIN / -1 wraps.
llvm::Value* divide_integers(llvm::IRBuilder<>& ir, DType dtype, llvm::Value* a, llvm::Value* b) {
  llvm::Value* zero = llvm::Constant::getNullValue(a->getType());
  llvm::Value* one = llvm::ConstantInt::get(a->getType(), 1);
  llvm::Value* is_zero = ir.CreateICmpEQ(b, zero);
  if (!is_signed(dtype)) return ir.CreateSelect(is_zero, zero, ir.CreateUDiv(a, ir.CreateSelect(is_zero, one, b)));
  llvm::Value* is_minus_one = ir.CreateICmpEQ(b, llvm::ConstantInt::getSigned(a->getType(), -1));
  llvm::Value* quotient = ir.CreateSDiv(a, ir.CreateSelect(ir.CreateOr(is_zero, is_minus_one), one, b));
  return ir.CreateSelect(is_zero, zero, ir.CreateSelect(is_minus_one, ir.CreateNeg(a), quotient));
}

/// The remainder with the dividend's sign; of a division by 0 it is 0.
llvm::Value* remainder_of_integers(llvm::IRBuilder<>& ir, DType dtype, llvm::Value* a, llvm::Value* b) {
  llvm::Value* zero = llvm::Constant::getNullValue(a->getType());
  llvm::Value* rest = ir.CreateSub(a, ir.CreateMul(divide_integers(ir, dtype, a, b), b));
  return ir.CreateSelect(ir.CreateICmpEQ(b, zero), zero, rest);
}

/// The remainder with the divisor's sign; floats have none.
llvm::Value* modulo(llvm::IRBuilder<>& ir, DType dtype, llvm::Value* a, llvm::Value* b) {
  llvm::Value* zero = llvm::Constant::getNullValue(a->getType());
  internal_check(!is_float(dtype), "floats have no modulo");
  llvm::Value* rest = remainder_of_integers(ir, dtype, a, b);
  if (!is_signed(dtype)) return rest;
  llvm::Value* other_sign = ir.CreateAnd(ir.CreateICmpNE(rest, zero), ir.CreateICmpSLT(ir.CreateXor(rest, b), zero));
  return ir.CreateSelect(other_sign, ir.CreateAdd(rest, b), rest);
}

/// Keeps NaN, as the reference does; does not tell -0 from 0.
llvm::Value* extreme(llvm::IRBuilder<>& ir, Op op, DType dtype, llvm::Value* a, llvm::Value* b) {
  if (is_float(dtype)) {
    llvm::IRBuilder<>::FastMathFlagGuard guard(ir);
    llvm::FastMathFlags flags = ir.getFastMathFlags();
    flags.setNoSignedZeros();
    ir.setFastMathFlags(flags);
    return ir.CreateBinaryIntrinsic(op == Op::min ? llvm::Intrinsic::minimum : llvm::Intrinsic::maximum, a, b);
  }
  const llvm::Intrinsic::ID id = op == Op::min ? (is_signed(dtype) ? llvm::Intrinsic::smin : llvm::Intrinsic::umin)
                                               : (is_signed(dtype) ? llvm::Intrinsic::smax : llvm::Intrinsic::umax);
  return ir.CreateBinaryIntrinsic(id, a, b);
}

/// The upper half of a float's bits, rounded to nearest even; NaN stays one.
llvm::Value* float_to_bf16(llvm::IRBuilder<>& ir, llvm::Value* a) {
  llvm::Type* i32 = like(ir.getInt32Ty(), a);
  const auto number = [&](std::uint32_t value) { return llvm::ConstantInt::get(i32, value); };
  llvm::Value* bits = ir.CreateBitCast(a, i32);
  llvm::Value* odd = ir.CreateAnd(ir.CreateLShr(bits, number(16)), number(1));
  llvm::Value* rounded = ir.CreateLShr(ir.CreateAdd(bits, ir.CreateAdd(odd, number(0x7fff))), number(16));
  llvm::Value* quiet = ir.CreateOr(ir.CreateLShr(bits, number(16)), number(0x40));
  llvm::Value* is_nan = ir.CreateFCmpUNO(a, a);
  return ir.CreateTrunc(ir.CreateSelect(is_nan, quiet, rounded), like(ir.getInt16Ty(), a));
}

llvm::Value* bf16_to_float(llvm::IRBuilder<>& ir, llvm::Value* a) {
  llvm::Type* i32 = like(ir.getInt32Ty(), a);
  return ir.CreateBitCast(ir.CreateShl(ir.CreateZExt(a, i32), llvm::ConstantInt::get(i32, 16)), like(ir.getFloatTy(), a));
}

/// What F16C does. Exponents are shifted to f32's by a multiplication, which also makes denormals normal.
llvm::Value* f16_bits_to_float(llvm::IRBuilder<>& ir, llvm::Value* a) {
  llvm::Type* i32 = like(ir.getInt32Ty(), a);
  llvm::Type* f32 = like(ir.getFloatTy(), a);
  const auto number = [&](std::uint32_t value) { return llvm::ConstantInt::get(i32, value); };
  llvm::Value* bits = ir.CreateZExt(ir.CreateBitCast(a, like(ir.getInt16Ty(), a)), i32);
  llvm::Value* magnitude = ir.CreateShl(ir.CreateAnd(bits, number(0x7fff)), number(13));
  llvm::Value* finite = ir.CreateBitCast(ir.CreateFMul(ir.CreateBitCast(magnitude, f32), llvm::ConstantFP::get(f32, 0x1p112)), i32);
  llvm::Value* infinite = ir.CreateOr(magnitude, number(0x7f800000));
  llvm::Value* result = ir.CreateSelect(ir.CreateICmpUGE(magnitude, number(0x7c00 << 13)), infinite, finite);
  return ir.CreateBitCast(ir.CreateOr(result, ir.CreateShl(ir.CreateAnd(bits, number(0x8000)), number(16))), f32);
}

/// What F16C does: rounds halves to even.
llvm::Value* float_to_f16_bits(llvm::IRBuilder<>& ir, llvm::Value* a) {
  llvm::IRBuilder<>::FastMathFlagGuard guard(ir);
  ir.clearFastMathFlags();
  llvm::Type* i32 = like(ir.getInt32Ty(), a);
  const auto number = [&](std::uint32_t value) { return llvm::ConstantInt::get(i32, value); };
  llvm::Value* bits = ir.CreateBitCast(a, i32);
  llvm::Value* magnitude = ir.CreateAnd(bits, number(0x7fffffff));
  // Adding 0.5 leaves a multiple of 2^-24, f16's smallest number, in the low bits.
  llvm::Value* shifted = ir.CreateFAdd(ir.CreateBitCast(magnitude, a->getType()), llvm::ConstantFP::get(a->getType(), 0.5));
  llvm::Value* denormal = ir.CreateSub(ir.CreateBitCast(shifted, i32), number(0x3f000000));
  // Another exponent, and what carries into the 10 bits that stay. 65520 and more become infinity by that carry.
  llvm::Value* odd = ir.CreateAnd(ir.CreateLShr(magnitude, number(13)), number(1));
  llvm::Value* rounded = ir.CreateAdd(ir.CreateSub(magnitude, number(112u << 23)), ir.CreateAdd(odd, number(0xfff)));
  llvm::Value* normal = ir.CreateLShr(rounded, number(13));
  llvm::Value* not_finite = ir.CreateSelect(ir.CreateFCmpUNO(a, a), number(0x7e00), number(0x7c00));
  llvm::Value* result = ir.CreateSelect(ir.CreateICmpULT(magnitude, number(113u << 23)), denormal, normal);
  result = ir.CreateSelect(ir.CreateICmpUGE(magnitude, number(143u << 23)), not_finite, result);
  result = ir.CreateOr(result, ir.CreateAnd(ir.CreateLShr(bits, number(16)), number(0x8000)));
  return ir.CreateBitCast(ir.CreateTrunc(result, like(ir.getInt16Ty(), a)), like(ir.getHalfTy(), a));
}

/// Saturates; NaN becomes 0.
llvm::Value* float_to_integer(llvm::IRBuilder<>& ir, DType to, llvm::Value* a) {
  llvm::Type* type = like(register_type(ir.getContext(), to), a);
  if (dtype_bits(to) <= 16 && a->getType()->getScalarType()->isFloatTy()) {
    // Within the bounds first: the conversion to i32 is one instruction, to fewer bits it would be a dozen. Of NaN a comparison takes the bound.
    const int bits = dtype_bits(to);
    const double low = is_signed(to) ? -std::ldexp(1, bits - 1) : 0;
    const auto number = [&](double value) { return llvm::ConstantFP::get(a->getType(), value); };
    if (is_signed(to)) a = ir.CreateSelect(ir.CreateFCmpORD(a, a), a, number(0));
    a = ir.CreateSelect(ir.CreateFCmpOGT(a, number(low)), a, number(low));
    const double high = low + std::ldexp(1, bits) - 1;
    a = ir.CreateSelect(ir.CreateFCmpOLT(a, number(high)), a, number(high));
    return ir.CreateTrunc(ir.CreateFPToSI(a, like(ir.getInt32Ty(), a)), type);
  }
  if (to == DType::i32 && a->getType()->getScalarType()->isFloatTy()) {
    // LLVM's own saturation goes through the lanes one by one.
    const auto number = [&](double value) { return llvm::ConstantFP::get(a->getType(), value); };
    llvm::Value* too_low = ir.CreateFCmpOLE(a, number(-0x1p31));
    llvm::Value* too_high = ir.CreateFCmpOGE(a, number(0x1p31));
    llvm::Value* inside = ir.CreateFCmpOLT(ir.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a), number(0x1p31));  // not NaN
    llvm::Value* converted = ir.CreateFPToSI(ir.CreateSelect(inside, a, number(0)), type);
    converted = ir.CreateSelect(too_low, llvm::ConstantInt::getSigned(type, std::numeric_limits<std::int32_t>::min()), converted);
    return ir.CreateSelect(too_high, llvm::ConstantInt::getSigned(type, std::numeric_limits<std::int32_t>::max()), converted);
  }
  return ir.CreateIntrinsic(is_signed(to) ? llvm::Intrinsic::fptosi_sat : llvm::Intrinsic::fptoui_sat, {type, a->getType()}, {a});
}

}  // namespace

llvm::Type* register_type(llvm::LLVMContext& context, DType dtype) {
  switch (dtype) {
    case DType::f32: return llvm::Type::getFloatTy(context);
    case DType::f64: return llvm::Type::getDoubleTy(context);
    case DType::f16: return llvm::Type::getHalfTy(context);
    case DType::boolean: return llvm::Type::getInt1Ty(context);
    case DType::bf16:
    case DType::f8e4m3fn:
    case DType::f8e5m2: break;
    default:
      if (is_integer(dtype) && dtype_bits(dtype) >= 4) break;
      throw CompileError(ErrorCode::invalid, Diagnostic{"--target cpu", fmt::format("{} has no generated code yet", dtype_name(dtype))});
  }
  return llvm::Type::getIntNTy(context, static_cast<unsigned>(dtype_bits(dtype)));
}

llvm::Type* memory_type(llvm::LLVMContext& context, DType dtype) {
  return dtype == DType::boolean || dtype_bits(dtype) < 8 ? llvm::Type::getInt8Ty(context) : register_type(context, dtype);
}

llvm::Value* emit_unary(llvm::IRBuilder<>& ir, Op op, DType dtype, llvm::Value* a) {
  const bool floating = is_float(dtype);
  switch (op) {
    case Op::neg: return floating ? ir.CreateFNeg(a) : ir.CreateNeg(a);
    case Op::abs:
      if (floating) return intrinsic(ir, llvm::Intrinsic::fabs, a);
      return is_signed(dtype) ? ir.CreateBinaryIntrinsic(llvm::Intrinsic::abs, a, ir.getFalse()) : a;
    case Op::sqrt: return intrinsic(ir, llvm::Intrinsic::sqrt, a);
    case Op::floor: return floating ? intrinsic(ir, llvm::Intrinsic::floor, a) : a;
    case Op::ceil: return floating ? intrinsic(ir, llvm::Intrinsic::ceil, a) : a;
    case Op::trunc: return floating ? intrinsic(ir, llvm::Intrinsic::trunc, a) : a;
    case Op::round_even: return floating ? intrinsic(ir, llvm::Intrinsic::roundeven, a) : a;
    case Op::logical_not:
    case Op::bit_not: return ir.CreateNot(a);
    case Op::is_nan: return ir.CreateFCmpUNO(a, a);
    default: break;
  }
  internal_check(false, "{} is no operator of one operand, or was not expanded", kernel::op_text(op));
  return nullptr;
}

llvm::Value* emit_binary(llvm::IRBuilder<>& ir, Op op, DType dtype, llvm::Value* a, llvm::Value* b) {
  const bool floating = is_float(dtype);
  switch (op) {
    case Op::add: return floating ? ir.CreateFAdd(a, b) : ir.CreateAdd(a, b);
    case Op::sub: return floating ? ir.CreateFSub(a, b) : ir.CreateSub(a, b);
    case Op::mul: return floating ? ir.CreateFMul(a, b) : ir.CreateMul(a, b);
    case Op::div: return floating ? ir.CreateFDiv(a, b) : divide_integers(ir, dtype, a, b);
    case Op::div_near: return ir.CreateFDiv(a, b);
    case Op::mod: return modulo(ir, dtype, a, b);
    case Op::rem: return remainder_of_integers(ir, dtype, a, b);
    case Op::min:
    case Op::max: return extreme(ir, op, dtype, a, b);
    case Op::logical_and:
    case Op::bit_and: return ir.CreateAnd(a, b);
    case Op::logical_or:
    case Op::bit_or: return ir.CreateOr(a, b);
    case Op::logical_xor:
    case Op::bit_xor: return ir.CreateXor(a, b);
    case Op::shl: return ir.CreateShl(a, b);
    case Op::shr: return is_signed(dtype) ? ir.CreateAShr(a, b) : ir.CreateLShr(a, b);
    case Op::index_div: return ir.CreateUDiv(a, b);
    case Op::index_mod: return ir.CreateURem(a, b);
    default: break;
  }
  internal_check(false, "{} is no operator of two operands, or was not expanded", kernel::op_text(op));
  return nullptr;
}

llvm::Value* emit_compare(llvm::IRBuilder<>& ir, Op op, DType dtype, llvm::Value* a, llvm::Value* b) {
  using Predicate = llvm::CmpInst::Predicate;
  const bool floating = is_float(dtype), with_sign = is_signed(dtype);
  const auto choose = [&](Predicate real, Predicate of_signed, Predicate of_unsigned) { return floating ? real : with_sign ? of_signed : of_unsigned; };
  Predicate predicate = Predicate::ICMP_EQ;
  switch (op) {
    case Op::eq: predicate = choose(Predicate::FCMP_OEQ, Predicate::ICMP_EQ, Predicate::ICMP_EQ); break;
    case Op::ne: predicate = choose(Predicate::FCMP_UNE, Predicate::ICMP_NE, Predicate::ICMP_NE); break;
    case Op::lt: predicate = choose(Predicate::FCMP_OLT, Predicate::ICMP_SLT, Predicate::ICMP_ULT); break;
    case Op::le: predicate = choose(Predicate::FCMP_OLE, Predicate::ICMP_SLE, Predicate::ICMP_ULE); break;
    case Op::gt: predicate = choose(Predicate::FCMP_OGT, Predicate::ICMP_SGT, Predicate::ICMP_UGT); break;
    case Op::ge: predicate = choose(Predicate::FCMP_OGE, Predicate::ICMP_SGE, Predicate::ICMP_UGE); break;
    default: internal_check(false, "{} is no comparison", kernel::op_text(op));
  }
  return ir.CreateCmp(predicate, a, b);
}

llvm::Value* emit_cast(llvm::IRBuilder<>& ir, DType from, DType to, llvm::Value* a, bool has_f16c) {
  if (from == to) return a;
  const auto from_f32 = [&](llvm::Value* value) { return emit_cast(ir, DType::f32, to, value, has_f16c); };
  const auto to_f32 = [&] { return emit_cast(ir, from, DType::f32, a, has_f16c); };
  // bf16 and the 8-bit floats have no arithmetic of their own: everything goes through f32.
  if (is_float(from) && dtype_bits(from) == 8) return from_f32(float8_to_float(ir, from, a));
  if (is_float(to) && dtype_bits(to) == 8) return float_to_float8(ir, to, to_f32());
  if (from == DType::bf16) return from_f32(bf16_to_float(ir, a));
  if (to == DType::bf16) return float_to_bf16(ir, to_f32());
  // Without a library only f32 converts to f16.
  if ((to == DType::f16 && from != DType::f32) || (from == DType::f16 && to != DType::f32)) return from_f32(to_f32());
  if (from == DType::f16 && !has_f16c) return f16_bits_to_float(ir, a);
  if (to == DType::f16 && !has_f16c) return float_to_f16_bits(ir, a);

  llvm::Type* type = like(register_type(ir.getContext(), to), a);
  if (to == DType::boolean) {
    llvm::Value* zero = llvm::Constant::getNullValue(a->getType());
    return is_float(from) ? ir.CreateFCmpUNE(a, zero) : ir.CreateICmpNE(a, zero);
  }
  if (is_float(from)) {
    if (!is_float(to)) return float_to_integer(ir, to, a);
    if (dtype_bits(to) > dtype_bits(from)) return ir.CreateFPExt(a, type);
    // Two roundings must not be contracted to one, from f64 to f16: that is a function of a library.
    llvm::IRBuilder<>::FastMathFlagGuard guard(ir);
    ir.clearFastMathFlags();
    return ir.CreateFPTrunc(a, type);
  }
  if (is_float(to)) return is_signed(from) ? ir.CreateSIToFP(a, type) : ir.CreateUIToFP(a, type);
  return is_signed(from) ? ir.CreateSExtOrTrunc(a, type) : ir.CreateZExtOrTrunc(a, type);
}

llvm::Constant* fold_identity(Op op, DType dtype, llvm::Type* type) {
  const bool floating = is_float(dtype);
  llvm::Type* element = type->getScalarType();
  const unsigned bits = floating ? 0 : element->getIntegerBitWidth();
  switch (op) {
    case Op::add:
    case Op::logical_or: return llvm::Constant::getNullValue(type);
    case Op::mul: return floating ? llvm::ConstantFP::get(type, 1.0) : llvm::ConstantInt::get(type, 1);
    case Op::logical_and: return llvm::ConstantInt::get(type, 1);
    case Op::min:
      if (floating) return llvm::ConstantFP::getInfinity(type);
      return llvm::ConstantInt::get(type, is_signed(dtype) ? llvm::APInt::getSignedMaxValue(bits) : llvm::APInt::getMaxValue(bits));
    case Op::max:
      if (floating) return llvm::ConstantFP::getInfinity(type, true);
      return llvm::ConstantInt::get(type, is_signed(dtype) ? llvm::APInt::getSignedMinValue(bits) : llvm::APInt::getMinValue(bits));
    default: break;
  }
  internal_check(false, "{} does not fold", kernel::op_text(op));
  return nullptr;
}

}  // namespace intaglio::cpu
