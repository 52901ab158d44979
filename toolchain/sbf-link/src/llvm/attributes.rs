//! Attributes of functions and calls.

use std::ffi::c_uint;

use bpf_linker::llvm_sys::core::*;
use bpf_linker::llvm_sys::{LLVMAttributeFunctionIndex, LLVMAttributeIndex};

use super::{Type, Value};

/// Attributes. `place` is LLVM's numbering: 0 the result, 1.. the parameters.
impl Value {
    pub(crate) const FUNCTION: LLVMAttributeIndex = LLVMAttributeFunctionIndex;

    fn attribute_kind(name: &str) -> c_uint {
        ffi!(LLVMGetEnumAttributeKindForName(
            name.as_ptr().cast(),
            name.len()
        ))
    }

    pub(crate) fn remove_attribute(self, place: LLVMAttributeIndex, name: &str) {
        let kind = Self::attribute_kind(name);
        if self.as_function().is_some() {
            ffi!(LLVMRemoveEnumAttributeAtIndex(self.0, place, kind));
        } else {
            ffi!(LLVMRemoveCallSiteEnumAttribute(self.0, place, kind));
        }
    }

    pub(crate) fn remove_text_attribute(self, name: &str) {
        let len = c_uint::try_from(name.len()).unwrap_or(0);
        ffi!(LLVMRemoveStringAttributeAtIndex(
            self.0,
            Self::FUNCTION,
            name.as_ptr().cast(),
            len
        ));
    }

    /// The type given by a type attribute such as `byval`.
    pub(crate) fn type_attribute(self, place: LLVMAttributeIndex, name: &str) -> Option<Type> {
        let kind = Self::attribute_kind(name);
        let attribute = if self.as_function().is_some() {
            ffi!(LLVMGetEnumAttributeAtIndex(self.0, place, kind))
        } else {
            ffi!(LLVMGetCallSiteEnumAttribute(self.0, place, kind))
        };
        (!attribute.is_null()).then(|| Type(ffi!(LLVMGetTypeAttributeValue(attribute))))
    }

    /// Copies the attributes at `from` of `old` (of the same sort) to `to` of this value.
    pub(crate) fn copy_attributes(
        self,
        to: LLVMAttributeIndex,
        old: Self,
        from: LLVMAttributeIndex,
    ) {
        let of_function = self.as_function().is_some();
        let count = if of_function {
            ffi!(LLVMGetAttributeCountAtIndex(old.0, from))
        } else {
            ffi!(LLVMGetCallSiteAttributeCount(old.0, from))
        };
        let mut attributes = vec![std::ptr::null_mut(); count as usize];
        if of_function {
            ffi!(LLVMGetAttributesAtIndex(
                old.0,
                from,
                attributes.as_mut_ptr()
            ));
        } else {
            ffi!(LLVMGetCallSiteAttributes(
                old.0,
                from,
                attributes.as_mut_ptr()
            ));
        }
        for attribute in attributes {
            if of_function {
                ffi!(LLVMAddAttributeAtIndex(self.0, to, attribute));
            } else {
                ffi!(LLVMAddCallSiteAttribute(self.0, to, attribute));
            }
        }
    }
}
