//! Calls. BPF passes five registers and returns one; whatever does not fit
//! goes through memory, by a rule that looks at the function type alone, so that
//! definitions, declarations, direct calls and calls through pointers agree.

use anyhow::Result;

use super::Refusal;
use crate::llvm::{Builder, Module, Opcode, Type, TypeKind, Value};

const REGISTERS: u32 = 5;

/// How values of one function type travel.
struct Plan {
    /// The result is written through a pointer that comes first.
    out: bool,
    /// Parameters from this one on travel in a struct behind a pointer that comes last.
    packed_from: Option<usize>,
    params: Vec<Type>,
    result: Type,
}

/// How many registers a parameter takes; `None` if it cannot travel in registers.
fn slots(ty: Type) -> Option<u32> {
    match ty.kind() {
        TypeKind::LLVMIntegerTypeKind => Some(ty.int_width()?.div_ceil(64).max(1)),
        TypeKind::LLVMPointerTypeKind
        | TypeKind::LLVMFloatTypeKind
        | TypeKind::LLVMDoubleTypeKind => Some(1),
        _ => None,
    }
}

/// The alignment that a field of a packed struct has, in a struct aligned to 8.
fn field_align(ty: Type) -> u32 {
    match ty.kind() {
        TypeKind::LLVMIntegerTypeKind => match ty.int_width() {
            Some(0..=8) => 1,
            Some(9..=16) => 2,
            Some(17..=32) => 4,
            _ => 8,
        },
        TypeKind::LLVMFloatTypeKind => 4,
        TypeKind::LLVMPointerTypeKind | TypeKind::LLVMDoubleTypeKind => 8,
        _ => 1,
    }
}

impl Plan {
    fn of(function: Type) -> Self {
        let (params, result) = (function.params(), function.result());
        let void = result.kind() == TypeKind::LLVMVoidTypeKind;
        let out = !void && slots(result) != Some(1);
        let first = u32::from(out);
        let needed = params
            .iter()
            .try_fold(first, |sum, p| slots(*p).map(|s| sum + s));
        let packed_from = match needed {
            Some(count) if count <= REGISTERS => None,
            _ => {
                let mut used = first;
                let fits = |p: &Type| {
                    // The last register is the pointer to the rest.
                    used += slots(*p)?;
                    (used < REGISTERS).then_some(())
                };
                Some(params.iter().map_while(fits).count())
            }
        };
        Self {
            out,
            packed_from,
            params,
            result,
        }
    }

    fn changes(&self) -> bool {
        self.out || self.packed_from.is_some()
    }

    /// Parameters that stay where they are.
    fn kept(&self) -> usize {
        self.packed_from.unwrap_or(self.params.len())
    }

    fn packed_struct(&self, module: &Module) -> Option<Type> {
        Some(module.cx.structure(&self.params[self.packed_from?..]))
    }

    fn lowered_type(&self, module: &Module) -> Type {
        let pointer = module.cx.pointer();
        let mut params = Vec::new();
        params.extend(self.out.then_some(pointer));
        params.extend_from_slice(&self.params[..self.kept()]);
        params.extend(self.packed_from.is_some().then_some(pointer));
        let result = if self.out {
            module.cx.void()
        } else {
            self.result
        };
        Type::function(result, &params)
    }
}

/// Rewrites every call, then every function.
pub(crate) fn lower(module: &Module) -> Result<()> {
    for function in module.functions() {
        if function.function_type().is_variadic() && !function.is_declaration() {
            return Refusal::of_function(function, "variadic functions do not exist on SBF");
        }
        for inst in function.instructions() {
            if inst.opcode() == Opcode::LLVMCall {
                lower_call(module, inst)?;
            }
        }
    }
    for function in module.functions() {
        if !function.is_intrinsic() && !function.function_type().is_variadic() {
            lower_function(module, function)?;
        }
    }
    Ok(())
}

/// `index` of a parameter as the place of its attributes.
fn place(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

fn lower_call(module: &Module, call: Value) -> Result<()> {
    let callee = call.callee();
    if callee.is_inline_asm() {
        return Refusal::at(call, "inline assembly is not understood");
    }
    if callee.is_any_asm() || callee.as_function().is_some_and(Value::is_intrinsic) {
        return Ok(());
    }
    if call.called_type().is_variadic() {
        return Refusal::at(call, "variadic functions do not exist on SBF");
    }
    if call.is_must_tail() {
        return Refusal::at(call, "guaranteed tail calls do not exist on SBF");
    }
    if call.operand_bundle_count() > 0 {
        return Refusal::at(call, "operand bundles are not understood");
    }
    copy_by_value_arguments(module, call);
    let plan = Plan::of(call.called_type());
    if plan.changes() {
        rewrite_call(module, call, &plan);
    }
    Ok(())
}

/// Makes the callee's private copy of `byval` arguments here, and drops the
/// markings that the code generator does not know.
fn copy_by_value_arguments(module: &Module, call: Value) {
    for (index, argument) in call.arguments().into_iter().enumerate() {
        call.remove_attribute(place(index), "sret");
        let Some(ty) = call.type_attribute(place(index), "byval") else {
            continue;
        };
        call.remove_attribute(place(index), "byval");
        let Some(entry) = Builder::at_entry(module.cx, call.parent_function()) else {
            continue;
        };
        let copy = entry.alloca(ty, 8);
        let b = Builder::before(module.cx, call);
        b.store(b.load(ty, argument, 1), copy, 8);
        call.set_operand(index, copy);
        call.clear_tail();
    }
}

fn rewrite_call(module: &Module, call: Value, plan: &Plan) {
    let cx = module.cx;
    let Some(entry) = Builder::at_entry(cx, call.parent_function()) else {
        return;
    };
    let b = Builder::before(cx, call);
    let arguments = call.arguments();
    let starts = module.intrinsic("llvm.lifetime.start", &[cx.pointer()]);
    let ends = module.intrinsic("llvm.lifetime.end", &[cx.pointer()]);

    let mut lowered = Vec::new();
    let mut slots = Vec::new();
    let result = plan.out.then(|| entry.alloca(plan.result, 8));
    if let Some(slot) = result {
        b.call(starts, &[slot]);
        slots.push(slot);
        lowered.push(slot);
    }
    lowered.extend_from_slice(&arguments[..plan.kept()]);
    if let Some(ty) = plan.packed_struct(module) {
        let pack = entry.alloca(ty, 8);
        b.call(starts, &[pack]);
        for (field, argument) in arguments[plan.kept()..].iter().enumerate() {
            let address = b.field(ty, pack, place(field) - 1);
            b.store(*argument, address, field_align(argument.ty()));
        }
        slots.push(pack);
        lowered.push(pack);
    }
    let new = b.call_as(plan.lowered_type(module), call.callee(), &lowered);
    new.copy_call_convention(call);
    copy_call_attributes(new, call, plan);

    let value = match result {
        Some(slot) if call.has_uses() => Some(b.load(plan.result, slot, 8)),
        Some(_) => None,
        None => Some(new),
    };
    for slot in slots {
        b.call(ends, &[slot]);
    }
    if let Some(value) = value {
        call.replace_uses_with(value);
    }
    call.erase();
}

fn copy_call_attributes(new: Value, old: Value, plan: &Plan) {
    new.copy_attributes(Value::FUNCTION, old, Value::FUNCTION);
    new.remove_attribute(Value::FUNCTION, "memory");
    if !plan.out {
        new.copy_attributes(0, old, 0);
    }
    for index in 0..plan.kept() {
        let to = place(index + usize::from(plan.out));
        new.copy_attributes(to, old, place(index));
        new.remove_attribute(to, "returned");
    }
}

fn lower_function(module: &Module, old: Value) -> Result<()> {
    for index in 0..old.params().len() {
        old.remove_attribute(place(index), "sret");
        old.remove_attribute(place(index), "byval");
    }
    let plan = Plan::of(old.function_type());
    if !plan.changes() {
        return Ok(());
    }
    let name = old.name();
    if plan.result.contains_vector() {
        return Refusal::of_function(old, "vectors do not exist on SBF");
    }
    let new = module.add_function("", plan.lowered_type(module));
    new.copy_shape_from(old);
    copy_call_attributes(new, old, &plan);
    if !old.is_declaration() {
        new.take_blocks(old);
        connect_parameters(module, new, old, &plan);
        if plan.out {
            write_results_out(module, new);
        }
    }
    old.replace_uses_with(new);
    old.delete_function();
    new.set_name(&name);
    Ok(())
}

/// Feeds the body from the new parameters.
fn connect_parameters(module: &Module, new: Value, old: Value, plan: &Plan) {
    let (from, to) = (old.params(), new.params());
    let shift = usize::from(plan.out);
    for index in 0..plan.kept() {
        from[index].replace_uses_with(to[index + shift]);
    }
    let (Some(ty), Some(b)) = (
        plan.packed_struct(module),
        Builder::at_entry(module.cx, new),
    ) else {
        return;
    };
    let pack = to[plan.kept() + shift];
    for (field, param) in from[plan.kept()..].iter().enumerate() {
        if param.has_uses() {
            let address = b.field(ty, pack, place(field) - 1);
            let value = b.load(param.ty(), address, field_align(param.ty()));
            param.replace_uses_with(value);
        }
    }
}

/// Turns `ret value` into a store through the first parameter.
fn write_results_out(module: &Module, function: Value) {
    let out = function.params()[0];
    for inst in function.instructions() {
        if inst.opcode() == Opcode::LLVMRet {
            let b = Builder::before(module.cx, inst);
            b.store(inst.operand(0), out, 8);
            b.ret_void();
            inst.erase();
        }
    }
}
