/**
 * What the elements have beside what their classes say, for tsc alone: the properties that CrowdElement.mirror makes of
 * attributes (text, or null while the attribute is absent), and the statics that a base class reads of its subclass.
 */

import type { Classifier as AnyClassifier } from "./components/classify/classifier.js";
import type { CrowdElement as AnyElement } from "./components/core/element.js";
import type { Choice as AnyChoice, CrowdRadioButton } from "./components/form/choice.js";
import type { CrowdForm } from "./components/form/form.js";
import type { Text as AnyText } from "./components/form/text.js";
import type { CrowdTab, CrowdTabs, Round as AnyRound } from "./components/layout/plain.js";

type Mirrored = string | null;

declare global {
  interface HTMLElementTagNameMap {
    "crowd-form": CrowdForm;
    "crowd-radio-button": CrowdRadioButton;
    "crowd-tab": CrowdTab;
    "crowd-tabs": CrowdTabs;
  }
}

declare module "./components/core/element.js" {
  interface CrowdElement {
    constructor: typeof AnyElement;
  }
}

declare module "./components/annotate/image-stage.js" {
  interface ImageStage {
    header: Mirrored;
    src: Mirrored;
  }
}

declare module "./components/classify/classifier.js" {
  interface Classifier {
    constructor: typeof AnyClassifier;
    header: Mirrored;
    src: Mirrored;
  }
}

declare module "./components/form/choice.js" {
  interface Choice {
    constructor: typeof AnyChoice;
  }
}

declare module "./components/form/form.js" {
  interface CrowdButton {
    formAction: Mirrored;
    href: Mirrored;
    icon: Mirrored;
    iconAlign: Mirrored;
    iconUrl: Mirrored;
    target: Mirrored;
    variant: Mirrored;
  }
}

declare module "./components/form/slider.js" {
  interface CrowdSlider {
    max: Mirrored;
    min: Mirrored;
    step: Mirrored;
  }
}

declare module "./components/document/textract.js" {
  interface CrowdTextractAnalyzeDocument {
    header: Mirrored;
    noKeyEdit: Mirrored;
    src: Mirrored;
  }
}

declare module "./components/form/text.js" {
  interface Text {
    constructor: typeof AnyText;
    label: Mirrored;
    placeholder: Mirrored;
  }
}

declare module "./components/text/entities.js" {
  interface CrowdEntityAnnotation {
    header: Mirrored;
    text: Mirrored;
  }
}

declare module "./components/layout/instructions.js" {
  interface CrowdInstructions {
    linkText: Mirrored;
    linkType: Mirrored;
  }
}

declare module "./components/layout/plain.js" {
  interface CrowdAlert {
    type: Mirrored;
  }
  interface CrowdBadge {
    icon: Mirrored;
    label: Mirrored;
  }
  interface CrowdCard {
    heading: Mirrored;
    image: Mirrored;
  }
  interface CrowdModal {
    linkText: Mirrored;
    linkType: Mirrored;
  }
  interface CrowdTab {
    header: Mirrored;
  }
  interface CrowdToast {
    duration: Mirrored;
    text: Mirrored;
  }
  interface Round {
    constructor: typeof AnyRound;
  }
}
