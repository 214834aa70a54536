//! `#[tool]`: a function that a model may call.
//!
//! Invariant: what the macro writes only calls public items of `sabir`, so that it means the same
//! wherever it is used; the function itself stays as it was written.

use proc_macro::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, ItemFn, Lit, Meta, Pat, ReturnType, parse_macro_input, spanned::Spanned,
};

/// Makes a tool of a function: `name::tool()` is what a chat engine takes.
///
/// The function's documentation is the tool's description, and the types of its parameters make
/// the schema of the arguments, by `schemars`: each needs `Deserialize` and `JsonSchema`. An
/// `Option` may be left out by the model. The function may be async, and may return a `Result`
/// whose error can be shown: its text goes to the model.
///
/// A doc comment on a parameter is its description.
#[proc_macro_attribute]
pub fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    if !attribute.is_empty() {
        let attribute = proc_macro2::TokenStream::from(attribute);
        return Error::new(attribute.span(), "`tool` takes nothing").to_compile_error().into();
    }
    let function = parse_macro_input!(item as ItemFn);
    expanded(function).unwrap_or_else(Error::into_compile_error).into()
}

fn expanded(mut function: ItemFn) -> Result<proc_macro2::TokenStream, Error> {
    let signature = &function.sig;
    if !signature.generics.params.is_empty() {
        return Err(Error::new(signature.generics.span(), "a tool has no generic parameters"));
    }
    let name = signature.ident.clone();
    let visibility = function.vis.clone();
    let description = documentation(&function.attrs);
    let (mut fields, mut names) = (Vec::new(), Vec::new());
    for input in &mut function.sig.inputs {
        let FnArg::Typed(parameter) = input else {
            return Err(Error::new(input.span(), "a tool has no `self`"));
        };
        let Pat::Ident(pattern) = &*parameter.pat else {
            return Err(Error::new(parameter.pat.span(), "a tool's parameter needs a name"));
        };
        let ident = pattern.ident.clone();
        let kind = &parameter.ty;
        // The function itself may not have them; the schema takes them as descriptions.
        let notes: Vec<Attribute> = std::mem::take(&mut parameter.attrs);
        fields.push(quote!(#(#notes)* #ident: #kind));
        names.push(ident);
    }
    let call = match function.sig.asyncness {
        Some(_) => quote!(#name(#(arguments.#names),*).await),
        None => quote!(#name(#(arguments.#names),*)),
    };
    let result = if returns_result(&function.sig.output) {
        quote!(::sabir::tool::outcome(#call))
    } else {
        quote!(::sabir::tool::value(#call))
    };
    let text = name.to_string();
    let text = text.trim_start_matches("r#");
    let arguments = format_ident!("Arguments");
    let about = format!("The tool `{text}`.");
    Ok(quote! {
        #function

        #[doc = #about]
        #[allow(non_camel_case_types, reason = "it has the name of its function")]
        #[derive(Debug, Clone, Copy)]
        #visibility struct #name {}

        impl #name {
            #[doc = #about]
            #visibility fn tool() -> ::sabir::tool::Tool {
                #[derive(::sabir::tool::serde::Deserialize, ::sabir::tool::schemars::JsonSchema)]
                #[serde(crate = "::sabir::tool::serde")]
                #[schemars(crate = "::sabir::tool::schemars")]
                struct #arguments { #(#fields),* }

                ::sabir::tool::Tool::typed(#text, #description, |arguments: #arguments| {
                    ::std::boxed::Box::pin(async move {
                        let _ = &arguments;
                        #result
                    })
                })
            }
        }
    })
}

/// The documentation, as it is written in comments.
fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> = lines.map(|line| line.strip_prefix(' ').map_or(line.clone(), str::to_owned)).collect();
    lines.join("\n").trim().to_owned()
}

fn returns_result(output: &ReturnType) -> bool {
    let ReturnType::Type(_, kind) = output else { return false };
    let syn::Type::Path(path) = &**kind else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Result")
}
