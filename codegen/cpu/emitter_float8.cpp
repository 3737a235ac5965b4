// 8-bit floats in LLVM IR: no CPU converts them, so integer arithmetic does, exactly.

#include <llvm/IR/Intrinsics.h>

#include "codegen/cpu/emitter_state.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

/// How a format differs from f32: its exponent is that of f32 minus `rebias`, its mantissa the upper bits of f32's 23.
struct Format {
  int mantissa_bits;
  std::uint32_t rebias;
  std::uint32_t largest;  ///< the largest finite magnitude
  std::uint32_t nan;
  bool has_infinity;
};

Format format_of(DType dtype) {
  if (dtype == DType::f8e4m3fn) return {3, 127 - 7, 0x7e, 0x7f, false};
  if (dtype != DType::f8e5m2) throw CompileError(ErrorCode::invalid, Diagnostic{"--target cpu", fmt::format("{} has no generated code yet", dtype_name(dtype)), "f8e4m3fn or f8e5m2"});
  return {2, 127 - 15, 0x7b, 0x7e, true};
}

llvm::Type* like(llvm::Type* element, llvm::Value* shape) {
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(shape->getType())) return llvm::FixedVectorType::get(element, vector->getNumElements());
  return element;
}

}  // namespace

/// Exponents are shifted by a multiplication, which also makes denormals normal.
llvm::Value* float8_to_float(llvm::IRBuilder<>& ir, DType from, llvm::Value* a) {
  const Format format = format_of(from);
  llvm::Type* i32 = like(ir.getInt32Ty(), a);
  llvm::Type* f32 = like(ir.getFloatTy(), a);
  const auto number = [&](std::uint32_t value) { return llvm::ConstantInt::get(i32, value); };
  llvm::Value* bits = ir.CreateZExt(a, i32);
  llvm::Value* magnitude = ir.CreateAnd(bits, number(0x7f));
  llvm::Value* shifted = ir.CreateShl(magnitude, number(23 - format.mantissa_bits));
  llvm::Value* scale = ir.CreateBitCast(number((127 + format.rebias) << 23), f32);
  llvm::Value* result = ir.CreateBitCast(ir.CreateFMul(ir.CreateBitCast(shifted, f32), scale), i32);
  if (format.has_infinity) result = ir.CreateSelect(ir.CreateICmpEQ(magnitude, number(format.largest + 1)), number(0x7f800000), result);
  llvm::Value* is_nan = ir.CreateICmpUGT(magnitude, number(format.largest + (format.has_infinity ? 1 : 0)));
  result = ir.CreateSelect(is_nan, number(0x7fc00000), result);
  return ir.CreateBitCast(ir.CreateOr(result, ir.CreateShl(ir.CreateAnd(bits, number(0x80)), number(24))), f32);
}

/// Halves to even, and saturates.
llvm::Value* float_to_float8(llvm::IRBuilder<>& ir, DType to, llvm::Value* a) {
  llvm::IRBuilder<>::FastMathFlagGuard guard(ir);
  ir.clearFastMathFlags();
  const Format format = format_of(to);
  llvm::Type* i32 = like(ir.getInt32Ty(), a);
  const auto number = [&](std::uint32_t value) { return llvm::ConstantInt::get(i32, value); };
  const int dropped = 23 - format.mantissa_bits;
  llvm::Value* bits = ir.CreateBitCast(a, i32);
  llvm::Value* magnitude = ir.CreateAnd(bits, number(0x7fffffff));
  // A number whose last place is the format's smallest number: adding it leaves multiples of that in the low bits.
  const std::uint32_t last_place = (format.rebias + 1 + static_cast<std::uint32_t>(dropped)) << 23;
  llvm::Value* shifted = ir.CreateFAdd(ir.CreateBitCast(magnitude, a->getType()), ir.CreateBitCast(number(last_place), a->getType()));
  llvm::Value* denormal = ir.CreateSub(ir.CreateBitCast(shifted, i32), number(last_place));
  // Another exponent, and what carries into the bits that stay.
  llvm::Value* odd = ir.CreateAnd(ir.CreateLShr(magnitude, number(static_cast<std::uint32_t>(dropped))), number(1));
  llvm::Value* rounded = ir.CreateAdd(ir.CreateSub(magnitude, number(format.rebias << 23)), ir.CreateAdd(odd, number((1u << (dropped - 1)) - 1)));
  llvm::Value* normal = ir.CreateLShr(rounded, number(static_cast<std::uint32_t>(dropped)));
  llvm::Value* result = ir.CreateSelect(ir.CreateICmpULT(magnitude, number((format.rebias + 1) << 23)), denormal, normal);
  result = ir.CreateBinaryIntrinsic(llvm::Intrinsic::umin, result, number(format.largest));
  result = ir.CreateSelect(ir.CreateFCmpUNO(a, a), number(format.nan), result);
  result = ir.CreateOr(result, ir.CreateAnd(ir.CreateLShr(bits, number(24)), number(0x80)));
  return ir.CreateTrunc(result, like(ir.getInt8Ty(), a));
}

}  // namespace intaglio::cpu
